"""Sound from video and sound files: the waveform around a moment."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import av
import numpy as np
import torch
from av.audio.resampler import AudioResampler
from jaxtyping import Float
from torch import Tensor

from egonorm.data.readers.io.audio_decode import Stretch, read_stretch
from egonorm.data.readers.io.duration import stream_duration
from egonorm.data.windows import Window, neighbours
from egonorm.signal import SoundLook

FILTER_MARGIN = 0.02
"""Seconds around a stretch that the resampler's filter may need."""
ENDING = 1.0
"""Seconds before the end that are decoded to find it to the sample."""
AUDIO_GAP = 5.0
"""Seconds between two windows that are rather decoded through than jumped over."""


@dataclass(frozen=True)
class AudioReader:
    """The sound of media files, read around a moment with FFmpeg.

    As Temporal Binding Network does (`dataset.py`, Kazakos et al., ICCV 2019), the window is centred on the asked time
    and moved inside the track where it would pass its beginning or end. Only a track that is shorter than the window is
    padded, with zeros behind. Zero is the container's start, so sound and picture stay together. Of several tracks
    FFmpeg's best one is read. Its channels are averaged; pauses in its timestamps are silence.
    """

    LOOKED_AT: ClassVar[tuple[str, str]] = ("every packet, and the first of them decoded", "all sound decoded")

    root: Path
    """The folder that media are named in."""
    look: SoundLook
    """Its rate and length are read."""

    def __call__(self, media: str, windows: Sequence[Window]) -> Float[Tensor, "window sample"]:
        """The sound around the middle of each window; what lies between neighbours is decoded once.

        Raises:
            DataError: when the file is missing, has no sound or is corrupt in a window or between neighbours.
        """
        look, heard = self.look, []
        for group in neighbours(windows, AUDIO_GAP):
            starts = [(window.start + window.stop - look.seconds) / 2 for window in group]
            heard.append(read_waveforms(self.root / media, starts, look.num_samples, look.rate))
        return torch.cat(heard)

    def reach(self, start: float, stop: float, seconds: float) -> tuple[float, float]:
        """From when to when it looks for the windows of a clip."""
        return sound_reach(start, stop, seconds, self.look.seconds)

    def examine(self, media: str, thorough: bool = False) -> float:
        """How many seconds of sound the file holds; `thorough` decodes all of it.

        Raises:
            DataError: when it is missing, truncated, corrupt or has no sound.
        """
        return stream_duration(self.root / media, "audio", thorough)


def sound_reach(start: float, stop: float, seconds: float, length: float) -> tuple[float, float]:
    """From when to when sound is read for the windows of a clip: `length` seconds around each middle, moved inside the medium."""
    return min(start - length / 2, seconds - length), max(stop + length / 2, length)


def read_waveforms(path: Path, starts: Sequence[float], num_samples: int, rate: int) -> Float[Tensor, "start sample"]:
    """Mono sound in [-1, 1] from each of `starts`, in seconds, resampled; what lies between them is decoded too.

    The result is a part of what the whole track, decoded and resampled, would be: from the sample nearest to the start,
    moved inside the track where it would pass its beginning or end; zeros follow a track that is too short.
    """
    firsts = [max(0, round(start * rate)) for start in starts]
    stretch = _around(path, min(firsts), max(firsts) + num_samples, rate)
    if stretch.ended:
        latest = max(0, stretch.stop * rate // stretch.rate - num_samples)
        if latest < min(firsts):
            stretch = _around(path, latest, latest + num_samples, rate)
        firsts = [min(first, latest) for first in firsts]
    waveforms = np.zeros((len(firsts), num_samples), dtype=np.float32)
    for waveform, first in zip(waveforms, firsts, strict=True):
        heard = _resample(stretch, first, num_samples, rate)
        waveform[: len(heard)] = heard
    return torch.from_numpy(waveforms)


def count_samples(path: Path, rate: int) -> int:
    """How many samples the whole track, decoded and resampled, would have."""
    stretch = read_stretch(path, stream_duration(path, "audio") - ENDING, math.inf)
    return stretch.stop * rate // stretch.rate


def _around(path: Path, first: int, last: int, rate: int) -> Stretch:
    return read_stretch(path, first / rate - FILTER_MARGIN, last / rate + FILTER_MARGIN)


def _resample(stretch: Stretch, first: int, num_samples: int, rate: int) -> np.ndarray:
    """The samples `first`, `first + 1`, ... of the whole track at the new rate, where the track has them.

    The old samples are taken from one that coincides with a new sample, so every stretch has the same grid.
    """
    step = stretch.rate // math.gcd(stretch.rate, rate)
    begin = max(0, math.floor((first / rate - FILTER_MARGIN) * stretch.rate) // step * step)
    end = math.ceil(((first + num_samples) / rate + FILTER_MARGIN) * stretch.rate)
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
