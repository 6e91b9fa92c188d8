"""A stretch of a sound track at its own rate: decoded, placed by its timestamps, and averaged to mono."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from av.audio.frame import AudioFrame
from av.packet import Packet

from egonorm.core import DataError
from egonorm.data.readers.io.container import Track, open_track, shown_at

PREROLL = 0.4
"""Seconds decoded before what is wanted: more than Opus (0.08), AAC's overlap or MP3's bit reservoir (0.25) need."""
DRIFT = 0.005
"""Seconds by which a timestamp may differ from the count of samples before it counts as a gap."""


@dataclass
class Stretch:
    """Samples of a track. Sample number 0 is at time zero, numbers are at the track's own `rate`."""

    rate: int
    pieces: list[tuple[int, np.ndarray]] = field(default_factory=list)
    """The number of the first sample of each, and its samples `[channel, sample]`."""
    stop: int = 0
    """The number after the last sample."""
    ended: bool = False
    """Whether the track ends there."""

    def cut(self, begin: int, end: int) -> np.ndarray:
        """The samples from `begin` to `end`, the mean of the channels; where the track has none there is silence."""
        if not self.pieces:
            return np.zeros(max(0, end - begin), dtype=np.float32)
        template = self.pieces[0][1]
        silence = 128 if template.dtype == np.uint8 else 0
        samples = np.full((len(template), max(0, end - begin)), silence, template.dtype)
        for at, piece in self.pieces:
            low, high = max(at, begin), min(at + piece.shape[1], end)
            if low < high:
                samples[:, low - begin : high - begin] = piece[:, low - at : high - at]
        return _mono(samples)


def read_stretch(path: Path, start: float, stop: float) -> Stretch:
    """Decode a track from `start` to `stop`, in seconds, or to its end; a little more on both sides.

    Raises:
        DataError: when the track cannot be opened or is corrupt there.
    """
    if start > PREROLL:
        with open_track(path, "audio") as track:
            grid = _grid(track) if _coarse(track) else None
            packets = track.packets_before(track.tick(start - PREROLL))
            stretch = packets and _collect(track, _frames(track, packets, start), stop, grid)
            if stretch and stretch.pieces and stretch.pieces[0][0] <= start * stretch.rate:
                return stretch
    with open_track(path, "audio") as track:
        stretch = _collect(track, _frames(track, track.packets(), 0.0), stop, None)
    if not stretch:
        raise DataError(
            f"{path} holds no sound.",
            got="an audio stream that decodes to nothing",
            expected="samples",
            remedy="Get or copy the file again, or remove its clips.",
        )
    return stretch


def _frames(track: Track, packets: Iterator[Packet], start: float) -> Iterator[AudioFrame]:
    """Decode; a decoder that has just jumped may stumble over its first packets, long before what is wanted."""
    for packet in packets:
        when = shown_at(packet)
        try:
            yield from track.decode(packet)
        except DataError:
            if when is None or track.seconds(when) > start - PREROLL / 2:
                raise


def _collect(track: Track, frames: Iterator[AudioFrame], stop: float, grid: tuple[int, int] | None) -> Stretch | None:
    """Place frames one after the other, and by their timestamps where these tell of a gap."""
    stretch, tolerance = None, max(DRIFT, 2 * float(track.base))
    for frame in frames:
        if stretch is None:
            stretch = Stretch(frame.sample_rate)
            stretch.stop = _on_grid(track, _place(track, frame, 0), grid, frame.sample_rate)
        if frame.sample_rate != stretch.rate:
            raise DataError(
                f"{track.path} changes its sample rate.",
                expected="one rate for the whole track",
                got=f"{frame.sample_rate} Hz after {stretch.rate} Hz",
                remedy="Convert the file to one rate.",
            )
        place = _place(track, frame, stretch.stop)
        at = place if abs(place - stretch.stop) > tolerance * stretch.rate else stretch.stop
        stretch.pieces.append((at, _channels(frame)))
        stretch.stop = at + frame.samples
        if stretch.stop >= stop * stretch.rate:
            return stretch
    if stretch is not None:
        stretch.ended = True
    return stretch


def _place(track: Track, frame: AudioFrame, otherwise: int) -> int:
    """The number of a frame's first sample, from its timestamp."""
    return otherwise if frame.pts is None else round(track.seconds(frame.pts) * frame.sample_rate)


def _coarse(track: Track) -> bool:
    """Whether timestamps are coarser than samples, as in Matroska, whose clock ticks once a millisecond."""
    return track.base * (getattr(track.stream.codec_context, "sample_rate", None) or 0) > 1


def _grid(track: Track) -> tuple[int, int] | None:
    """Where the track's second frame begins and how long it is: other frames begin multiples of that apart.

    The first frame may have been cut: an encoder's padding is not sound.
    """
    stop = None
    for frame in _frames(track, track.packets(), 0.0):
        if stop is not None:
            return stop, frame.samples
        stop = _place(track, frame, 0) + frame.samples
    return None


def _on_grid(track: Track, place: int, grid: tuple[int, int] | None, rate: int) -> int:
    """A place as exact as the count of samples from the beginning, if its timestamp agrees to a tick of the clock."""
    if grid is None:
        return place
    origin, length = grid
    exact = origin + round((place - origin) / length) * length
    return exact if abs(exact - place) <= track.base * rate else place


def _channels(frame: AudioFrame) -> np.ndarray:
    """A frame's samples as `[channel, sample]`, in its own number format."""
    samples = frame.to_ndarray()
    return samples if frame.format.is_planar else samples.reshape(-1, len(frame.layout.channels)).T


def _mono(samples: np.ndarray) -> np.ndarray:
    """The mean of the channels, in [-1, 1]."""
    mean = samples.mean(axis=0, dtype=np.float32)
    if samples.dtype == np.uint8:
        return (mean - 128) / 128
    return mean / -float(np.iinfo(samples.dtype).min) if samples.dtype.kind == "i" else mean
