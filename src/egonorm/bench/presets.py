"""Whole configurations of network, training and judgement, as functions: the paper's, a small one, and the demo's."""

from dataclasses import dataclass

from egonorm.bench.config import NetConfig, Stream
from egonorm.data.inputs import AudioInput, VideoInput
from egonorm.data.sampling import Span
from egonorm.nets.encoders import Encoder
from egonorm.signal import Spectrogram
from egonorm.train.evaluate import Evaluation
from egonorm.train.loop import Optim


@dataclass(frozen=True)
class Preset:
    """What a preset decides."""

    net: NetConfig
    optim: Optim
    evaluation: Evaluation


def paper() -> Preset:
    """RNA-Net as published (arXiv 2106.01689, Section 5.1; where it is silent, the code of the authors and of MM-SADA).

    16 frames at stride 2 of 60 a second, I3D at 224 x 224; 1.279 s of sound at 24 kHz as 256 x 256 log spectrogram,
    BN-Inception; SGD, 9000 steps of 128 clips a domain. For a GPU with 80 GB, or several.
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
