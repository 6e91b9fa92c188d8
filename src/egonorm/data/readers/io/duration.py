"""How long a stream really lasts, and where it is broken: by its packets, or by decoding all of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

import av
from av.packet import Packet

from egonorm.core import DataError, PartlyBrokenError
from egonorm.data.readers.io.audio_decode import PREROLL
from egonorm.data.readers.io.container import (
    INCOMPLETE,
    REENCODE,
    Kind,
    Track,
    is_incomplete,
    open_track,
    shown_at,
    undecodable,
)
from egonorm.data.readers.io.video_decode import backwards, delay_by_order, refreshes
from egonorm.data.readers.io.wav_header import find_sound

IGNORE_LENGTH = "Get it again; if only its length was never filled in: ffmpeg -ignore_length 1 -i FILE -c copy NEW.wav"
PROMISING = ("mov", "matroska", "avi", "flac", "asf", "flv")
"""Containers whose header tells their length; of others FFmpeg guesses it, from the bit rate for example."""
MAX_HOURS = 100
"""Of a medium; times beyond are damaged."""
MISSING_TOLERANCE = 0.5
"""Seconds that may be missing at the end, or one packet if that is longer."""


def stream_duration(path: Path, kind: Kind, thorough: bool = False) -> float:
    """How many seconds after zero a file's best stream of a kind ends; `thorough` decodes it all, else a first frame.

    Raises:
        PartlyBrokenError: it is corrupt in places, or holds less than its header promises.
        DataError: the file cannot be opened, has no such stream, or nothing of it can be decoded.
    """
    with open_track(path, kind) as track:
        walk = _Walk(track, thorough)
        for packet in track.packets():
            walk.step(packet)
        _check_length(path, walk.end)
        walk.compare(walk.end * _promised_share(path) if track.container.format.name == "wav" else _promised(track))
    if not walk.num_frames:
        raise DataError(
            f"{path} holds nothing that can be decoded.",
            got=walk.faults[0].error.got if walk.faults else f"{walk.num_packets} packets, no frame",
            expected=f"{kind} with frames",
            remedy=IGNORE_LENGTH if track.container.format.name == "wav" else "Get or copy the file again.",
        )
    if walk.faults:
        raise PartlyBrokenError.of([(fault.start, fault.stop, fault.error) for fault in walk.faults], walk.end)
    return walk.end


@dataclass
class _Fault:
    """Where a track is broken: what cannot be shown, in seconds."""

    start: float
    stop: float
    error: DataError


FROM_BEFORE = 2
"""Keyframes that are needed where frames after one refer to what is before it."""


@dataclass
class _Walk:
    """What has been seen of a track, packet after packet."""

    track: Track
    thorough: bool
    end: float = 0.0
    longest: float = 0.0
    num_packets: int = 0
    num_frames: int = 0
    faults: list[_Fault] = field(default_factory=list)
    lost: int = 0
    """How many keyframes are to come until what a broken packet has left behind is gone."""
    latest: int = -(1 << 63)
    """When the packet before was decoded, in ticks."""

    def step(self, packet: Packet) -> None:
        when = shown_at(packet)
        if is_incomplete(packet):
            self._break(when, undecodable(self.track, when, INCOMPLETE))
            return
        if packet.size:
            self.num_packets += 1
            self._time(packet)
        if self.lost and packet.size and packet.is_keyframe and when is not None:
            self._pass_keyframe(packet, self.track.seconds(when))
        if self.thorough or not self.num_frames:
            try:
                self.num_frames += len(self.track.decode(packet))
            except DataError as error:
                self._break(when, error)

    def compare(self, promised: float) -> None:
        """Compare what is there with what the header promises."""
        if self.end < promised - max(MISSING_TOLERANCE, self.longest):
            error = DataError(
                f"{self.track.path} is truncated.",
                got=f"{self.track.stream.type} up to {self.end:.2f} s",
                expected=f"{promised:.2f} s, as its header promises",
                remedy="Copy or download the file again, or remove the clips after its end.",
            )
            rest = _Fault(self.end - self._margin, inf, error)
            self.faults = [rest, *(fault for fault in self.faults if fault.start < rest.start)]

    @property
    def _margin(self) -> float:
        """Seconds before a broken place in which nothing can be shown either: a decoder must be given more than it shows."""
        return self.longest * (getattr(self.track.stream.codec_context, "reorder_depth", 0) + 2)

    def _break(self, when: int | None, error: DataError) -> None:
        if self.lost:
            return
        self.lost = FROM_BEFORE
        start = self.end if when is None else self.track.seconds(when)
        self.faults.append(_Fault(max(0.0, start - self._margin), inf, error))

    def _pass_keyframe(self, packet: Packet, start: float) -> None:
        """What was broken ends with a keyframe, or the second where windows are decoded from the keyframe before their last."""
        refreshed = refreshes(self.track.stream, packet)
        self.lost = 0 if refreshed else self.lost - 1
        if refreshed:
            self.track.stream.codec_context.flush_buffers()
        if not self.lost:
            self.faults[-1].stop = start if self.track.stream.type == "video" else max(start, 0.0) + PREROLL

    def _time(self, packet: Packet) -> None:
        when = shown_at(packet)
        if when is None or packet.is_discard:
            return
        rate = getattr(self.track.stream, "average_rate", None)
        default = float(1 / rate) if rate else 0.0
        seconds = float(packet.duration * self.track.base) if packet.duration else default
        self.longest = max(self.longest, seconds)
        self.end = max(self.end, self.track.seconds(when) + seconds)
        if packet.dts is not None and self.track.stream.type == "video":
            if packet.dts < self.latest and delay_by_order(self.track) is None:
                raise backwards(self.track, packet.dts, self.latest)
            self.latest = packet.dts


def _check_length(path: Path, seconds: float) -> None:
    if seconds > MAX_HOURS * 3600:
        raise DataError(
            f"{path} claims to last longer than any medium that is read.",
            got=f"{seconds / 3600:.0f} hours",
            expected=f"at most {MAX_HOURS}",
            remedy=REENCODE,
        )


def _promised_share(path: Path) -> float:
    """How much of what is there of a WAV file's sound its header promises."""
    try:
        chunk = find_sound(path, path.stat().st_size)
    except ValueError:
        return 0.0
    return chunk.promised / max(1, chunk.length)


def _promised(track: Track) -> float:
    """Where the header says that the stream ends, in seconds since zero; 0 when it says nothing about this stream."""
    if not track.container.format.name.startswith(PROMISING):
        return 0.0
    if track.stream.duration:
        return track.seconds((track.stream.start_time or 0) + track.stream.duration)
    told = [_CLOCK.fullmatch(track.stream.metadata[key].strip()) for key in _duration_keys(track)]
    if clock := next(filter(None, told), None):
        hours, minutes, seconds = clock.groups()
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds) - track.zero
    alone = len([stream for stream in track.container.streams if stream.type in ("video", "audio")]) == 1
    return track.container.duration / av.time_base if alone and track.container.duration else 0.0


_CLOCK = re.compile(r"(\d{1,6}):(\d{1,2}):(\d{1,2}(?:\.\d*)?)")


def _duration_keys(track: Track) -> Iterator[str]:
    return (key for key in track.stream.metadata if key.upper().startswith("DURATION"))
