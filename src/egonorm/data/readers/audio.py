"""Sound from video and sound files: the log spectrogram of the neighbourhood of a moment."""

import math
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch
from av.audio.resampler import AudioResampler
from jaxtyping import Float
from torch import Tensor

from egonorm.data.readers.lasting import lasting
from egonorm.data.readers.stretch import Stretch, read_stretch
from egonorm.signal import SoundLook

MARGIN = 0.02
"""Seconds around a stretch that the resampler's filter may need."""


@dataclass(frozen=True)
class AudioReader:
    """The sound of media files, read around a moment with FFmpeg.

    As Temporal Binding Network does (`dataset.py`, Kazakos et al., ICCV 2019), the window is centred on the asked time
    and moved inside the track where it would pass its beginning or end. Only a track that is shorter than the window is
    padded, with zeros behind. Zero is the container's start, so sound and picture stay together. Of several tracks
    FFmpeg's best one is read. Its channels are averaged; pauses in its timestamps are silence.
    """

    root: Path
    """The folder that media are named in."""
    spectrogram: SoundLook
    """From the waveform to what the network sees."""

    def __call__(self, media: str, start: float, stop: float) -> Float[Tensor, "1 frequency time"]:
        """The spectrogram of the sound around the middle of `start` and `stop`.

        Raises:
            DataError: when the file is missing, has no sound or is corrupt there.
        """
        begin = (start + stop - self.spectrogram.seconds) / 2
        spectrogram = self.spectrogram
        return spectrogram(read_waveform(self.root / media, begin, spectrogram.num_samples, spectrogram.rate))

    def examine(self, media: str, thorough: bool = False) -> float:
        """How many seconds of sound the file holds; `thorough` decodes all of it.

        Raises:
            DataError: when it is missing, truncated, corrupt or has no sound.
        """
        return lasting(self.root / media, "audio", thorough)


def read_waveform(path: Path, start: float, num_samples: int, rate: int) -> Float[Tensor, " sample"]:
    """Mono sound in [-1, 1] from `start` seconds on, resampled.

    The result is a part of what the whole track, decoded and resampled, would be: from the sample nearest to `start`,
    moved inside the track where it would pass its beginning or end; zeros follow a track that is too short.
    """
    first = max(0, round(start * rate))
    stretch = read_stretch(path, first / rate - MARGIN, (first + num_samples) / rate + MARGIN)
    if stretch.ended:
        latest = max(0, stretch.stop * rate // stretch.rate - num_samples)
        if latest < first:
            first = latest
            stretch = read_stretch(path, first / rate - MARGIN, (first + num_samples) / rate + MARGIN)
    waveform = np.zeros(num_samples, dtype=np.float32)
    heard = _resample(stretch, first, num_samples, rate)
    waveform[: len(heard)] = heard
    return torch.from_numpy(waveform)


def _resample(stretch: Stretch, first: int, num_samples: int, rate: int) -> np.ndarray:
    """The samples `first`, `first + 1`, ... of the whole track at the new rate, where the track has them.

    The old samples are taken from one that coincides with a new sample, so every stretch has the same grid.
    """
    step = stretch.rate // math.gcd(stretch.rate, rate)
    begin = max(0, math.floor((first / rate - MARGIN) * stretch.rate) // step * step)
    end = math.ceil(((first + num_samples) / rate + MARGIN) * stretch.rate)
    if stretch.ended:
        end = min(end, stretch.stop)
    offset = first - begin * rate // stretch.rate
    return _change_rate(stretch.cut(begin, end), stretch.rate, rate)[offset : offset + num_samples]


def _change_rate(waveform: np.ndarray, old: int, new: int) -> np.ndarray:
    """Resample with libswresample's default filter."""
    if old == new or not len(waveform):
        return waveform
    frame = av.AudioFrame.from_ndarray(waveform[None], format="flt", layout="mono")
    frame.sample_rate = old
    resampler = AudioResampler(format="flt", layout="mono", rate=new)
    pieces = [piece.to_ndarray()[0] for given in (frame, None) for piece in resampler.resample(given)]
    return np.concatenate(pieces)
