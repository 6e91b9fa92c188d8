"""How long a stream really lasts, from its packets, against what the file's header promises."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from av.packet import Packet

from egonorm.core import DataError
from egonorm.data.readers.io.container import INCOMPLETE, Track, open_track, shown_at, undecodable

PROMISING = ("mov", "matroska", "avi", "wav", "flac", "asf", "flv")
"""Containers whose header tells their length; of others FFmpeg guesses it, from the bit rate for example."""
TOLERANCE = 0.5
"""Seconds that may be missing at the end, or one packet if that is longer."""


def lasting(path: Path, kind: str, thorough: bool = False) -> float:
    """How many seconds after zero a file's best stream of a kind ends; `thorough` decodes it all, else a first frame.

    Raises:
        DataError: the file cannot be opened, has no such stream, is corrupt, or holds less than its header promises.
    """
    with open_track(path, kind) as track:
        walk = _Walk(track, thorough)
        for packet in track.packets():
            walk.step(packet)
        promised = _promised(track)
        if walk.end < promised - max(TOLERANCE, walk.longest):
            raise DataError(
                f"{path} is truncated.",
                got=f"{kind} up to {walk.end:.2f} s",
                expected=f"{promised:.2f} s, as its header promises",
                remedy="Copy or download the file again, or remove the clips after its end.",
            )
        if walk.incomplete:
            raise undecodable(track, shown_at(walk.incomplete), INCOMPLETE)
    if not walk.num_frames:
        raise DataError(
            f"{path} holds nothing that can be decoded.",
            got=f"{walk.num_packets} packets, no frame",
            expected=f"{kind} with frames",
            remedy="Get or copy the file again.",
        )
    return walk.end


@dataclass
class _Walk:
    """What has been seen of a track, packet after packet."""

    track: Track
    thorough: bool
    end: float = 0.0
    longest: float = 0.0
    num_packets: int = 0
    num_frames: int = 0
    incomplete: Packet | None = None

    def step(self, packet: Packet) -> None:
        if packet.is_corrupt:
            self.incomplete = self.incomplete or packet
            return
        if packet.size:
            self.num_packets += 1
            self._time(packet)
        if self.thorough or not self.num_frames:
            self.num_frames += len(self.track.decode(packet))

    def _time(self, packet: Packet) -> None:
        when = shown_at(packet)
        if when is None or packet.is_discard:
            return
        rate = getattr(self.track.stream, "average_rate", None)
        default = float(1 / rate) if rate else 0.0
        seconds = float(packet.duration * self.track.stream.time_base) if packet.duration else default
        self.longest = max(self.longest, seconds)
        self.end = max(self.end, self.track.seconds(when) + seconds)


def _promised(track: Track) -> float:
    """Where the header says that the stream ends, in seconds since zero; 0 when it says nothing about this stream."""
    if not track.container.format.name.startswith(PROMISING):
        return 0.0
    if track.stream.duration:
        return track.seconds((track.stream.start_time or 0) + track.stream.duration)
    text = next((track.stream.metadata[key] for key in _duration_keys(track)), None)
    if text is not None:
        hours, minutes, seconds = text.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds) - track.zero
    alone = len([stream for stream in track.container.streams if stream.type in ("video", "audio")]) == 1
    return track.container.duration / av.time_base if alone and track.container.duration else 0.0


def _duration_keys(track: Track) -> Iterator[str]:
    return (key for key in track.stream.metadata if key.upper().startswith("DURATION"))
