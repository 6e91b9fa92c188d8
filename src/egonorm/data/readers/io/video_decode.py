"""Decoding video: the frames that are shown at given times, from where decoding must begin, and decoders that stay open.

Some videos do not say when their pictures are shown: these come in the order in which the decoder gives them. AVI stores no
times, and a file that was made of one without decoding has the times of decoding; where pictures are coded in another order than
they are shown in (B-frames), such times are those of other pictures.
"""

import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from heapq import heappop, heappush
from itertools import chain, islice
from math import inf
from pathlib import Path

from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame

from egonorm.core import DataError
from egonorm.data.readers.io.container import REENCODE, Track, check_file, explained, open_track, opened, shown_at

REFRESH = 5
"""The type of the H.264 units (ITU-T H.264, table 7-1) after which nothing refers to pictures before."""


def from_keyframe(track: Track, tick: int) -> Iterator[Packet] | None:
    """Packets from the last keyframe that is shown at the tick or earlier; None if it may need what is before it."""
    first, packets = _last_keyframe(track, tick)
    return chain([first], packets) if first is not None and refreshes(track.stream, first) else None


def from_open_gop(track: Track, tick: int) -> Iterator[Packet] | None:
    """Packets from one keyframe earlier than the last, for H.264 with open groups of pictures or intra refresh.

    The first frames after such a keyframe may name references that were not read: a strict decoder refuses them, a
    lenient one shows nothing until it has recovered.
    """
    first, _ = _last_keyframe(track, tick)
    when = None if first is None else shown_at(first)
    if first is None or when is None or refreshes(track.stream, first):
        return None
    return track.packets_before(when - 1)


def from_start(track: Track, tick: int) -> Iterator[Packet]:
    """All packets: near the beginning of a file, and where it cannot be sought."""
    return track.packets()


def _last_keyframe(track: Track, tick: int) -> tuple[Packet | None, Iterator[Packet]]:
    packets = track.packets_before(tick) if tick > (track.stream.start_time or 0) else None
    return next(packets) if packets else None, packets or iter(())


def refreshes(stream: Stream, keyframe: Packet) -> bool:
    """Whether the frames after a keyframe do without those before it; for other codecs than H.264 it is believed."""
    if stream.codec_context.name != "h264":
        return True
    return REFRESH in _unit_types(bytes(keyframe), stream.codec_context.extradata or b"")


def _unit_types(data: bytes, extradata: bytes) -> Iterator[int]:
    """The types of an H.264 packet's units: with lengths before them (ISO 14496-15), else start codes (Annex B)."""
    if not extradata.startswith(b"\x01"):
        yield from (unit[0] & 31 for unit in data.split(b"\0\0\1")[1:] if unit)
        return
    width, at = (extradata[4] & 3) + 1, 0
    while at + width < len(data):
        yield data[at + width] & 31
        at += width + int.from_bytes(data[at : at + width], "big")


CODECS = ("h264",)
"""Whose decoder tells, from a packet's first bytes, that no other refers to it; HEVC's tells of one temporal layer alone."""


def skip_unneeded(track: Track, packets: Iterator[Packet], ticks: Sequence[int]) -> Iterator[Packet]:
    """The same packets; the decoder is told before each whether it may leave it out.

    What is shown at a tick is known without decoding: packets are read on until all that is shown up to the last tick has
    been read, since nothing is shown before it is decoded. Packets without times, and those behind, are decoded.
    """
    if track.stream.codec_context.name not in CODECS or delay_by_order(track) is not None:
        yield from packets
        return
    last, read = max(ticks), []
    for packet in packets:
        read.append(packet)
        if packet.dts is None or packet.dts > last:
            break
    times = sorted(packet.pts for packet in read if packet.pts is not None and not packet.is_discard)
    shown = {times[max(0, bisect_right(times, tick) - 1)] for tick in ticks} if times else set()
    for packet in read:
        needed = packet.pts is None or packet.pts in shown or packet.pts > last
        track.stream.codec_context.skip_frame = "DEFAULT" if needed else "NONREF"
        yield packet
    track.stream.codec_context.skip_frame = "DEFAULT"
    yield from packets


MAX_OPEN_VIDEOS = 16
"""Videos that a process keeps open; a decoder of pictures of 1920 x 1080 holds some 20 MB."""

_OPEN_VIDEOS: OrderedDict[tuple, Track] = OrderedDict()
"""The videos that nobody reads now, the longest unused first."""

os.register_at_fork(
    after_in_child=_OPEN_VIDEOS.clear
)  # processes that share an open file share the place where it is read


@contextmanager
def reused_video(path: Path) -> Iterator[Track]:
    """A video as `open_track` opens it, standing anywhere: to jump in, not to read from its beginning.

    Who reads has it alone. A file that has changed is opened anew; so is one that could not be read. Sound is not kept: some of
    its decoders remember what they decoded before a jump, AAC's the noise that it drew.
    """
    check_file(path)
    status = path.stat()
    key = (str(path), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    with explained(path):
        track = _OPEN_VIDEOS.pop(key, None) or opened(path, "video")
        try:
            yield track
        except BaseException:
            track.container.close()
            raise
    _OPEN_VIDEOS[key] = track
    while len(_OPEN_VIDEOS) > MAX_OPEN_VIDEOS:
        _OPEN_VIDEOS.popitem(last=False)[1].container.close()


WAYS = (
    (from_keyframe, reused_video),
    (from_open_gop, partial(open_track, kind="video", strict=False)),
    (from_start, partial(open_track, kind="video")),
)
"""Where decoding may begin, and how the file is opened for it; the first way that shows what was asked for is taken."""


def decode_frames(path: Path, times: Sequence[float]) -> list[VideoFrame]:
    """What a player shows at each of these times, in seconds: the frame with the largest timestamp that is not later.

    Before the first frame that is the first one, after the last the last. Rounding: a frame that begins up to two
    microseconds after a time counts as shown then.
    """
    for begin, open_way in WAYS:
        with open_way(path) as track:
            ticks = [track.tick(time) for time in times]
            packets = begin(track, min(ticks))
            if packets is None:
                continue
            jumped = begin is not from_start
            packets = skip_unneeded(track, packets, ticks) if jumped else packets
            frames = _shown(decode_packets(track, packets, jumped), ticks) or []
            late = any(tick_of(frame) > tick for frame, tick in zip(frames, ticks, strict=False))
            if frames and not (jumped and late):
                return frames
    raise DataError(
        f"{path} holds no frame.",
        got="a video stream that decodes to nothing",
        expected="at least one frame",
        remedy="Get or copy the file again, or remove its clips.",
    )


def decode_packets(track: Track, packets: Iterator[Packet], jumped: bool) -> Iterator[VideoFrame]:
    """Decode, in the order in which frames are shown; after a jump nothing where that cannot be told of this place.

    After a jump the frames shown before the first keyframe are left out: they lack what they refer to.
    """
    delay = delay_by_order(track)
    frames = (
        _frames_by_time(track, packets, jumped)
        if delay is None
        else _frames_by_order(track, packets, delay if jumped else None)
    )
    last = None
    for frame in frames:
        if last is not None and tick_of(frame) < last:
            raise backwards(track, tick_of(frame), last)
        last = tick_of(frame)
        yield frame


def backwards(track: Track, tick: int, after: int) -> DataError:
    """The error of a video that shows a picture at a tick after one at a later tick."""
    return DataError(
        f"{track.path} has pictures whose times run backwards.",
        got=f"{track.seconds(tick):.3f} s after {track.seconds(after):.3f} s",
        expected="times that grow from picture to picture",
        remedy=REENCODE,
    )


def _frames_by_time(track: Track, packets: Iterator[Packet], jumped: bool) -> Iterator[VideoFrame]:
    first = next(packets)
    beginning = shown_at(first) if jumped else None
    for packet in chain([first], packets):
        when = shown_at(packet)
        leading = beginning is not None and when is not None and when < beginning
        try:
            frames = track.decode(packet)
        except DataError:
            if leading:
                continue
            raise
        if any(frame.pts is None for frame in frames):
            raise DataError(
                f"{track.path} has pictures without times among others that have one.",
                got="a picture of which the file does not say when it is shown",
                expected="times for all pictures, or for none",
                remedy=REENCODE,
            )
        yield from (frame for frame in frames if beginning is None or tick_of(frame) >= beginning)


def tick_of(frame: VideoFrame) -> int:
    """When a frame is shown; `decode_packets` lets none pass that does not say it."""
    assert frame.pts is not None
    return frame.pts


def _shown(frames: Iterator[VideoFrame], ticks: Sequence[int]) -> list[VideoFrame] | None:
    """The frame with the largest timestamp up to each tick, else the first frame; None if there are no frames."""
    best: list[VideoFrame | None] = [None] * len(ticks)
    opening = None
    for frame in frames:
        opening = frame if opening is None else opening
        for place, tick in enumerate(ticks):
            held = best[place]
            if tick_of(frame) <= tick and (held is None or tick_of(held) <= tick_of(frame)):
                best[place] = frame
        if tick_of(frame) > max(ticks):
            break
    return None if opening is None else [opening if frame is None else frame for frame in best]


PEEKED = 64
"""Packets after which a video that never went back in time says nothing: B-frames, if there are any, come every few."""
TELLING = ("mov", "matroska", "nut")
"""Containers in which every packet has a time: where the decoder does not reorder either, it is the right one."""


def delay_by_order(track: Track) -> int | None:
    """How many packets more than frames the decoder wants in the beginning; None where frames have times of their own."""
    if track.container.format.name.startswith(TELLING) and not _reorders(track):
        return None
    status = track.path.stat()
    return _delay(track.path, status.st_size, status.st_mtime_ns)


def _reorders(track: Track) -> bool:
    """Whether the decoder expects pictures in another order than they are shown in."""
    return getattr(track.stream.codec_context, "has_b_frames", False)


@lru_cache(maxsize=4096)
def _delay(path: Path, size: int, changed: int) -> int | None:
    with open_track(path, "video", strict=False) as track:
        all_told, latest = True, -inf
        for packet in islice(track.packets(), PEEKED):
            if packet.size and packet.pts is not None:
                if packet.pts < latest:
                    return None
                latest = packet.pts
            elif packet.size:
                all_told = False
        if all_told and not _reorders(track):
            return None
    with open_track(path, "video", strict=False) as track:
        for number, packet in enumerate(track.packets(), start=1):
            with suppress(DataError):
                if frames := track.decode(packet):
                    return number - (not packet.size) - len(frames)
    return 0


def _frames_by_order(track: Track, packets: Iterator[Packet], delay: int | None) -> Iterator[VideoFrame]:
    """Decode, and give each frame the earliest time of a packet that no frame before it got: shown in the order of decoding.

    A packet that completes no frame, once others did, repeats the picture before (a "not coded" one of MPEG-4): its time passes.
    After a jump `delay` is that of the file's beginning. Where the decoder waits longer, frames before the keyframe were left
    out, and which frame comes when cannot be told: there are none then.
    """
    waiting: list[int] = []
    last, step, held = None, 1, None
    for packet in packets:
        when = shown_at(packet)
        if packet.size and when is not None:
            heappush(waiting, when)
        try:
            frames = track.decode(packet)
        except DataError:
            if delay is not None and held is None:
                return
            raise
        for frame in frames:
            frame.pts = heappop(waiting) if waiting else (last or 0) + step
            step = max(1, frame.pts - last) if last is not None else step
            last = frame.pts
            if held is None:
                held = len(waiting) - (len(frames) - 1)
                if delay is not None and held != delay:
                    return
            yield frame
        if not frames and held is not None and len(waiting) > held:
            heappop(waiting)
