"""Whole configurations of network, training and judgement, as functions: the paper's, a small one, and the demo's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from inspect import signature
from pathlib import Path
from typing import Any

from egonorm.core import RunError, Setting, SettingError
from egonorm.core.by_path import check_options
from egonorm.core.training import Evaluation, Optim, Precision, WindowAverage
from egonorm.data.sets import open_features
from egonorm.data.transforms import FEATURES, AudioInput, FeatureInput, VideoInput
from egonorm.data.windows import Span
from egonorm.methods import Method
from egonorm.nets.encoders import Encoder
from egonorm.nets.net import Fusion
from egonorm.nets.weights.load import check_address, shown_address
from egonorm.runs.config import NetConfig, Run, Stream
from egonorm.signal import Spectrogram


@dataclass(frozen=True)
class Preset:
    """What a preset decides."""

    net: NetConfig
    """With the modalities that are used when none are named."""
    optim: Optim
    evaluation: Evaluation
    further: dict[str, Stream] = field(default_factory=dict)
    """Modalities that are used only when they are named."""

    def choose(self, modalities: tuple[str, ...]) -> NetConfig:
        """The network of these modalities, in this order. SettingError for a name that the preset does not have."""
        return replace(self.net, streams=self.net.streams | self.further).choose(modalities)


def paper() -> Preset:
    """RNA-Net as published (arXiv 2106.01689, Section 5.1; where it is silent, the code of the authors and of MM-SADA).

    16 frames at stride 2 of 60 a second, I3D at 224 x 224; 1.279 s of sound at 24 kHz as 256 x 256 log spectrogram,
    BN-Inception; SGD, 9000 steps of 128 clips a domain. Published weights are given by
    `--weights`; without them the networks start from random ones. 128 clips of one domain take about 48 GB in float32, of two
    domains twice that; with `--micro-batch 32` 13 GB do (docs/runs.md).
    """
    return _streams(VideoInput(Span(16, 2, 60.0), 256, 224), Spectrogram(), 1.0, Optim(), Evaluation())


def small() -> Preset:
    """The same at half the width and the picture's side, 3000 steps of 32 clips: for one small GPU or a patient CPU."""
    video = VideoInput(Span(16, 2, 60.0), 128, 112)
    return _streams(video, Spectrogram(), 0.5, Optim(steps=3000, batch=32), Evaluation())


def demo() -> Preset:
    """The smallest that learns the procedural kitchens on two cores in minutes.

    8 frames over 1.07 s at 64 x 64, and 1.279 s of sound as a 128 x 128 log spectrogram; a quarter of the width.
    """
    video = VideoInput(Span(8, 4, 30.0), 72, 64)
    sound = Spectrogram(rate=24000, seconds=1.279, num_fft=255, window=240, hop=240)
    optim = Optim(steps=240, batch=16, lr=0.03, milestones=(2 / 3,))
    return _streams(video, sound, 0.25, optim, Evaluation(every=5))


def features() -> Preset:
    """For features that were computed before: a layer of 256 a modality; of which modalities and sizes, the data decide."""
    stream = Stream(FeatureInput(1024), Encoder("projection", in_channels=1024, width=0.25))
    optim = Optim(steps=600, batch=32, lr=0.01, milestones=(2 / 3,))
    return Preset(NetConfig({"rgb": stream, "audio": stream}, Span()), optim, Evaluation(every=25))


PRESETS = {"demo": demo, "small": small, "paper": paper, "features": features}


def _streams(video: VideoInput, sound: Spectrogram, width: float, optim: Optim, evaluation: Evaluation) -> Preset:
    streams = {
        "rgb": Stream(video, Encoder("i3d", in_channels=3, width=width)),
        "audio": Stream(AudioInput(sound), Encoder("bn-inception", in_channels=1, width=width)),
    }
    flow = Stream(replace(video, displacement=True), Encoder("i3d", in_channels=2, width=width))
    return Preset(NetConfig(streams, video.span), optim, evaluation, {"flow": flow})


def configure(  # noqa: PLR0913 - one for each flag
    data: str,
    setting: str,
    method: Method,
    preset: str,
    seed: int = 0,
    precision: Precision = "float32",
    *,
    modalities: str | Sequence[str] | None = None,
    fusion: Fusion | None = None,
    width: float | None = None,
    encoder: Mapping[str, str] | Sequence[str] = (),
    weights: Mapping[str, str] | Sequence[str] = (),
    lr_factor: Mapping[str, float] | Sequence[str] = (),
    freeze: Sequence[str] = (),
    standardise: bool = True,
    average: WindowAverage | None = None,
    **optim: Any,
) -> Run:
    """A run of a preset with some of its values replaced.

    Args:
        data: `KIND:PATH`; the path is stored from the root, so that the run finds its data from any folder.
        setting: `FAMILY:SOURCES:TARGET`.
        modalities: names, in a sequence or with commas between them, in the order of the pairs.
        encoder: encoders in place of the preset's, each `MODALITY=NAME` or `MODALITY=package.module:Class`, with options
            behind it as `:key=value`; or what stands behind `=`, by modality.
        weights: published weights to start from, each `MODALITY=PATH_OR_URL` or `MODALITY=PATH_OR_URL#SHA256`; or by modality.
        lr_factor: by block, what its learning rate is multiplied by; or each as `BLOCK=FLOAT`.
        freeze: blocks that stay as they are.
        standardise: of features, whether each column is (`data.transforms.Scaling`); of media without use.
        average: what is averaged over a clip's windows when it is judged, "softmax" (MM-SADA) or "logits" (the RNA authors' later
            code); the preset's where None.
        optim: of `Optim`, by the names there; the preset's where None.

    Raises:
        SettingError: for a setting or modalities that make no sense, an option that there is not, and a value of another kind.
        RunError: for a value out of its range.
    """
    changes = _check_kinds(seed, precision, fusion, optim)
    encoder, weights, freeze = _each(encoder), _each(weights), _each(freeze)
    place = from_root(data)
    parts = preset_on(place, preset, weights, standardise)
    if seed < 0:
        raise RunError("--seed cannot be used.", got=seed, expected="0 or more", remedy="Correct --seed.")
    if width is not None and not 0 < width < float("inf"):
        raise RunError("--width cannot be used.", got=width, expected="more than 0", remedy="Correct --width.")
    net = parts.net if modalities is None else parts.choose(split_names(modalities))
    net = net if width is None else net.widen(width)
    net = net if fusion is None else replace(net, fusion=fusion)
    for modality, choice in each_once("encoder", [parse_encoder(choice) for choice in encoder]).items():
        net = net.encode_by(modality, choice)
    for choice in weights:
        net = net.start_from(*parse_weights(choice))
    factors = parse_factors(_each(lr_factor))
    blocks: dict[str, Any] = {
        "lr_factors": factors or parts.optim.lr_factors,
        "frozen": tuple(freeze) or parts.optim.frozen,
    }
    descent = replace(parts.optim, **blocks | changes)
    check_options(Evaluation, {} if average is None else {"average": average}, "The judgement")
    evaluation = parts.evaluation if average is None else replace(parts.evaluation, average=average)
    return Run(place, Setting.parse(setting), net, method, descent, evaluation, seed, precision)


def split_names(modalities: str | Sequence[str]) -> tuple[str, ...]:
    """Names in a sequence, or with commas between them."""
    return tuple(modalities.split(",")) if isinstance(modalities, str) else tuple(modalities)


def _check_kinds(seed: int, precision: Precision, fusion: Fusion | None, optim: Mapping[str, Any]) -> dict[str, Any]:
    """What of the optimiser is given. The command line checks kinds and choices itself; who calls from Python is told here."""
    check_options(Run, {"seed": seed, "precision": precision}, "A run")
    check_options(NetConfig, {} if fusion is None else {"fusion": fusion}, "The network")
    options = signature(configure).parameters.values()
    ours = [option.name for option in options if option.kind is option.KEYWORD_ONLY]
    known = [*ours, *(one.name for one in fields(Optim) if one.name not in ("lr_factors", "frozen"))]
    if unknown := [name for name in optim if name not in known]:
        raise SettingError(
            f"There is no option {unknown[0]!r}.",
            got=f"{unknown[0]}={optim[unknown[0]]!r}",
            expected=", ".join(known),
            remedy="Choose among these, or leave it out.",
        )
    given = {name: value for name, value in optim.items() if value is not None}
    return check_options(Optim, given, "The training")


def _each(choices: Mapping[str, object] | Sequence[str]) -> Sequence[str]:
    """One `NAME=VALUE` each, however they were given: by name, as a sequence, or a single one."""
    if isinstance(choices, Mapping):
        return [f"{name}={value}" for name, value in choices.items()]
    return (choices,) if isinstance(choices, str) else choices


def usual_preset(data: str | None, chosen: str | None) -> str:
    """The preset that was chosen, or the one that is usual for such data."""
    return chosen or ("features" if (data or "").startswith("features:") else "small")


def from_root(data: str) -> str:
    """`KIND:PATH` with the path from the root, so that it is found from any folder."""
    kind, colon, path = data.partition(":")
    return f"{kind}{colon}{Path(path).expanduser().absolute()}" if path else data


def preset_on(data: str, name: str, weights: Sequence[str] = (), standardise: bool = True) -> Preset:
    """A preset for some data: on media, as it is; on features, its training of a layer on each of the stored modalities.

    Args:
        standardise: whether the columns of features are standardised, rather than all of them multiplied by one factor.

    Raises:
        SettingError: for a name that no preset has, a preset of features on media, or weights on features.
        DataError: for features that cannot be read.
    """
    if name not in PRESETS:
        raise SettingError(
            f"There is no preset {name!r}.", got=name, expected=", ".join(PRESETS), remedy="Choose one of these."
        )
    parts, features = PRESETS[name](), open_features(data)
    first = next(iter(parts.net.streams.values()))
    if features is None:
        if first.input.reads == FEATURES:
            raise SettingError(
                f"The preset {name} cannot be used on media.",
                got="data that are not features",
                expected="--data features:PATH",
                remedy="Compute features with egonorm extract, or choose a preset with networks for media.",
            )
        if not standardise:
            raise SettingError(
                "Nothing is standardised on media.",
                got="--no-standardise",
                expected="--data features:PATH",
                remedy="Leave it out here.",
            )
        return parts
    if weights:
        raise SettingError(
            "The weights are of no use on features.",
            got=f"--weights {' '.join(weights)}",
            expected="none",
            remedy="Leave them out here; they are given to egonorm extract.",
        )
    stored = features.stored
    stream = lambda size: Stream(  # noqa: E731
        FeatureInput(size, scaling="columns" if standardise else "length"),
        Encoder("projection", size, first.encoder.width),
    )
    streams = {modality: stream(size) for modality, size in stored.sizes.items()}
    net = replace(parts.net, streams=streams, span=stored.span)
    return replace(parts, net=net, further={}, evaluation=replace(parts.evaluation, num_windows=stored.num_windows))


def each_once(option: str, pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The pairs of a modality and what was chosen for it. SettingError for a modality that comes twice."""
    names = [modality for modality, _ in pairs]
    if len(set(names)) < len(names):
        raise SettingError(
            f"--{option} names a modality more than once.",
            got=", ".join(names),
            expected="each modality once",
            remedy="Leave one of them out.",
        )
    return dict(pairs)


def parse_encoder(choice: str) -> tuple[str, str]:
    """The modality, and the encoder of `MODALITY=NAME:key=value`."""
    modality, _, encoder = choice.partition("=")
    if not modality or not encoder:
        raise RunError(
            "--encoder cannot be read.",
            got=choice,
            expected="MODALITY=NAME or MODALITY=package.module:Class, then perhaps :key=value",
            remedy="Write for example --encoder rgb=lite0.",
        )
    return modality, encoder


def parse_weights(choice: str, option: str = "--weights") -> tuple[str, str, str | None]:
    """The modality, the place (a path from the root, or a URL) and the checksum of `MODALITY=PLACE#SHA256`."""
    modality, equals, place = choice.partition("=")
    place, _, sha256 = place.partition("#")
    if not equals or not place:
        raise RunError(
            f"{option} cannot be read.",
            got=shown_address(choice),
            expected="MODALITY=PATH_OR_URL, then perhaps #SHA256",
            remedy="Write for example rgb=rgb_imagenet.pt.",
        )
    if "://" in place:
        check_address(place)
    else:
        place = str(Path(place).expanduser().absolute())
    return modality, place, sha256 or None


def parse_factors(choices: Sequence[str]) -> dict[str, float]:
    """Factors by block of some `BLOCK=FLOAT`. RunError for what cannot be read, or a block that is named twice."""
    found = {}
    for choice in choices:
        block, _, number = choice.partition("=")
        try:
            factor = float(number)
        except ValueError:
            factor = None
        if not block or factor is None or block in found:
            raise RunError(
                "--lr-factor cannot be read.",
                got=f"{choice}, a second time" if block in found else choice,
                expected="BLOCK=FLOAT, once for each block",
                remedy="Write for example rgb.encoder=0.1.",
            )
        found[block] = factor
    return found
