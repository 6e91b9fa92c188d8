"""One stream of a media file: opening it, its packets and frames by time, and how long it really lasts."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Discard, Disposition, Stream

from egonorm.core import DataError

Kind = Literal["video", "audio"]
JUMPS = (0.0, 0.25, 1.0, 4.0, 16.0)
"""How many seconds before the wanted moment a seek aims, one after the other, until what it finds is early enough."""
UNSEEKABLE = ("mpeg",)
"""Formats that are read from their start: after a jump in an MPEG program stream FFmpeg guesses wrong timestamps."""
INCOMPLETE = "an incomplete packet"
TIME_TOLERANCE = 2e-6
"""Containers round the moment they call zero to a microsecond."""


@dataclass(frozen=True)
class Track:
    """An open stream. Zero is the container's start, the earliest moment of all its streams, for sound and picture."""

    path: Path
    container: InputContainer
    stream: Stream
    zero: float = field(init=False)
    base: Fraction = field(init=False)
    """Seconds from one tick of the stream's clock to the next."""

    def __post_init__(self):
        start = self.container.start_time
        if start is None:
            own = self.stream.start_time
            start = 0 if own is None else own * self.stream.time_base * av.time_base
        object.__setattr__(self, "zero", float(Fraction(start) / av.time_base))
        object.__setattr__(self, "base", self.stream.time_base)

    def seconds(self, tick: int) -> float:
        """When the tick of the stream's clock is, in seconds since zero."""
        return tick * self.base.numerator / self.base.denominator - self.zero

    def tick(self, seconds: float) -> int:
        """The last tick of the stream's clock that is not after `seconds`."""
        return math.floor((seconds + self.zero + TIME_TOLERANCE) / self.base)

    def packets(self) -> Iterator[Packet]:
        """The packets of the stream from where the container stands; the last one is empty and flushes the decoder."""
        return self.container.demux(self.stream)

    def packets_before(self, tick: int) -> Iterator[Packet] | None:
        """Packets that begin with a keyframe shown at `tick` or earlier; None if the file cannot be sought there."""
        for jump in JUMPS if self.container.format.name not in UNSEEKABLE else ():
            target = tick - math.ceil(jump / self.base)
            try:
                self.container.seek(target, stream=self.stream)
                packets = self.packets()
                first = next((packet for packet in packets if packet.is_keyframe and packet.size), None)
            except FFmpegError:
                continue
            if first is not None and (when := shown_at(first)) is not None and when <= tick:
                return chain([first], packets)
        return None

    def decode(self, packet: Packet) -> Sequence[Any]:
        """The frames of sound or picture that a packet completes.

        Raises:
            DataError: names the second at which the file is corrupt.
        """
        when = shown_at(packet)
        if packet.is_corrupt:
            raise undecodable(self, when, INCOMPLETE)
        try:
            frames = packet.decode()
        except FFmpegError as error:
            raise undecodable(self, when, error.strerror or str(error)) from None
        corrupt = [frame for frame in frames if frame.is_corrupt]
        if corrupt:
            raise undecodable(self, corrupt[0].pts, "a frame with errors")
        return frames


@contextmanager
def open_track(path: Path, kind: Kind, strict: bool = True) -> Iterator[Track]:
    """Open the best stream (FFmpeg's `av_find_best_stream`) of a kind, `video` or `audio`, of a media file.

    Other streams are not read. A `strict` decoder reports what it would conceal otherwise (`err_detect=explode`). It
    has one thread: a data loader has a process per core, and threads cost more than they save on small pictures.
    """
    check_file(path)
    with explained(path):
        track = opened(path, kind, strict)
        with track.container:
            yield track


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """What FFmpeg says against a file, as an error of ours."""
    try:
        yield
    except FFmpegError as error:
        raise DataError(
            f"{path} cannot be read.",
            got=error.strerror,
            expected="a media file",
            remedy="See whether a media player plays it; if not, get it again.",
        ) from None


def opened(path: Path, kind: Kind, strict: bool = True) -> Track:
    """A track that somebody has to close; see `open_track`."""
    container = av.open(str(path.absolute()), metadata_errors="replace")
    try:
        stream = _best_stream(path, container, kind)
    except DataError:
        container.close()
        raise
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all
    stream.codec_context.thread_type = "NONE"
    stream.codec_context.thread_count = 1
    if strict:
        stream.codec_context.options = {"err_detect": "explode"}
    return Track(path, container, stream)


def shown_at(packet: Packet) -> int | None:
    """The tick at which what a packet holds is shown; files without presentation times have decoding times alone."""
    return packet.dts if packet.pts is None else packet.pts


def undecodable(track: Track, tick: int | None, got: str) -> DataError:
    """The error of a stream that is corrupt at a tick."""
    place = "near its end" if tick is None else f"at {track.seconds(tick):.3f} s"
    return DataError(
        f"{track.path} cannot be decoded {place}.",
        got=got,
        expected=f"{track.stream.type} without errors",
        remedy="Get or copy the file again, or remove the clips around this time.",
    )


def check_file(path: Path) -> None:
    """Refuse what no media file can be."""
    found = None
    if path.is_dir():
        found = "a folder"
    elif not path.exists():
        found = "no such file"
    elif path.stat().st_size == 0:
        found = "an empty file"
    if found:
        raise DataError(
            f"{path} cannot be read.",
            got=found,
            expected="a media file",
            remedy="Correct its name or the folder of the media, or get the file again.",
        )


def _best_stream(path: Path, container: InputContainer, kind: Kind) -> Stream:
    stream = container.streams.best(kind)
    if stream is None or stream.disposition & Disposition.attached_pic:
        found = {other.type for other in container.streams if not other.disposition & Disposition.attached_pic}
        what = "sound without a picture" if kind == "video" else "a video without sound"
        raise DataError(
            f"{path} is {what}.",
            got=f"streams of the kind {', '.join(sorted(found)) or 'none'}",
            expected=f"a media file with {kind}",
            remedy="Leave this modality out, or remove the clips of this file.",
        )
    if stream.codec_context is None:
        raise DataError(
            f"{path} has {kind} that this FFmpeg cannot decode.",
            got="an unknown codec",
            expected="a codec that PyAV's FFmpeg knows",
            remedy="Convert the file, to H.264 and AAC for example.",
        )
    return stream


PROMISING = ("mov", "matroska", "avi", "wav", "flac", "asf", "flv")
"""Containers whose header tells their length; of others FFmpeg guesses it, from the bit rate for example."""
MISSING_TOLERANCE = 0.5
"""Seconds that may be missing at the end, or one packet if that is longer."""


def stream_duration(path: Path, kind: Kind, thorough: bool = False) -> float:
    """How many seconds after zero a file's best stream of a kind ends; `thorough` decodes it all, else a first frame.

    Raises:
        DataError: the file cannot be opened, has no such stream, is corrupt, or holds less than its header promises.
    """
    with open_track(path, kind) as track:
        walk = _Walk(track, thorough)
        for packet in track.packets():
            walk.step(packet)
        promised = _promised(track)
        if walk.end < promised - max(MISSING_TOLERANCE, walk.longest):
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
        seconds = float(packet.duration * self.track.base) if packet.duration else default
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
