"""Whole configurations of network, training and judgement, as functions: the paper's, a small one, and the demo's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from egonorm.bench.config import NetConfig, Run, Stream
from egonorm.core import RunError, Setting
from egonorm.data.inputs import AudioInput, VideoInput
from egonorm.data.sampling import Span
from egonorm.methods import Method
from egonorm.nets.encoders import Encoder
from egonorm.nets.fusion import Fusion
from egonorm.signal import Spectrogram
from egonorm.train.evaluate import Evaluation
from egonorm.train.loop import Optim
from egonorm.train.runtime import Precision


@dataclass(frozen=True)
class Preset:
    """What a preset decides."""

    net: NetConfig
    optim: Optim
    evaluation: Evaluation


def paper() -> Preset:
    """RNA-Net as published (arXiv 2106.01689, Section 5.1; where it is silent, the code of the authors and of MM-SADA).

    16 frames at stride 2 of 60 a second, I3D at 224 x 224; 1.279 s of sound at 24 kHz as 256 x 256 log spectrogram,
    BN-Inception; SGD, 9000 steps of 128 clips a domain. Published weights are given by
    `--weights`; without them the networks start from random ones. 128 clips of one domain take about 45 GB of activations in
    float32 (measured per clip on a CPU); with two domains use `--precision bfloat16` or two GPUs.
    """
    return _two_streams(VideoInput(Span(16, 2, 60.0), 256, 224), Spectrogram(), 1.0, Optim(), Evaluation())


def small() -> Preset:
    """The same at half the width and the picture's side, 3000 steps of 32 clips: for one small GPU or a patient CPU."""
    video = VideoInput(Span(16, 2, 60.0), 128, 112)
    return _two_streams(video, Spectrogram(), 0.5, Optim(steps=3000, batch=32), Evaluation())


def demo() -> Preset:
    """The smallest that learns the procedural kitchens on two cores in minutes.

    8 frames over 1.07 s at 64 x 64, and 1.279 s of sound as a 128 x 128 log spectrogram; a quarter of the width.
    """
    video = VideoInput(Span(8, 4, 30.0), 72, 64)
    sound = Spectrogram(rate=24000, seconds=1.279, num_fft=255, window=240, hop=240)
    optim = Optim(steps=240, batch=16, lr=0.03, milestones=(2 / 3,))
    return _two_streams(video, sound, 0.25, optim, Evaluation(every=5))


PRESETS = {"demo": demo, "small": small, "paper": paper}


def _two_streams(video: VideoInput, sound: Spectrogram, width: float, optim: Optim, evaluation: Evaluation) -> Preset:
    streams = {
        "rgb": Stream(video, Encoder("i3d", in_channels=3, width=width)),
        "audio": Stream(AudioInput(sound), Encoder("bn-inception", in_channels=1, width=width)),
    }
    return Preset(NetConfig(streams, video.span), optim, evaluation)


def configure(
    data: str,
    setting: str,
    method: Method,
    preset: str,
    seed: int = 0,
    precision: Precision = "float32",
    *,
    modalities: str | None = None,
    fusion: Fusion | None = None,
    steps: int | None = None,
    batch: int | None = None,
    width: float | None = None,
    weights: Sequence[str] = (),
) -> Run:
    """A run of a preset with some of its values replaced.

    Args:
        data: `KIND:PATH`; the path is stored from the root, so that the run finds its data from any folder.
        setting: `FAMILY:SOURCES:TARGET`.
        modalities: names with commas between them, in the order of the pairs.
        weights: published weights to start from, each `MODALITY=PATH_OR_URL` or `MODALITY=PATH_OR_URL#SHA256`.

    Raises:
        SettingError: for a setting or modalities that make no sense.
        RunError: for a value out of its range.
    """
    parts = PRESETS[preset]()
    changes = {name: value for name, value in {"steps": steps, "batch": batch}.items() if value is not None}
    if seed < 0:
        raise RunError("--seed cannot be used.", got=seed, expected="0 or more", remedy="Correct --seed.")
    for name, value in (changes | {"width": 1 if width is None else width}).items():
        if not 0 < value < float("inf"):
            raise RunError(f"--{name} cannot be used.", got=value, expected="more than 0", remedy=f"Correct --{name}.")
    net = parts.net if modalities is None else parts.net.choose(tuple(modalities.split(",")))
    net = net if width is None else net.widen(width)
    net = net if fusion is None else replace(net, fusion=fusion)
    for choice in weights:
        net = net.start_from(*_weights(choice))
    kind, colon, path = data.partition(":")
    place = f"{kind}{colon}{Path(path).expanduser().absolute()}" if path else data
    optim = replace(parts.optim, **changes)
    return Run(place, Setting.parse(setting), net, method, optim, parts.evaluation, seed, precision)


def _weights(choice: str) -> tuple[str, str, str | None]:
    """The modality, the place (a path from the root, or a URL) and the checksum of `MODALITY=PLACE#SHA256`."""
    modality, equals, place = choice.partition("=")
    place, _, sha256 = place.partition("#")
    if not equals or not place:
        raise RunError("--weights cannot be read.", got=choice, expected="MODALITY=PATH_OR_URL, then perhaps #SHA256",
                       remedy="Write for example --weights rgb=rgb_imagenet.pt.")  # fmt: skip
    place = place if "://" in place else str(Path(place).expanduser().absolute())
    return modality, place, sha256 or None
