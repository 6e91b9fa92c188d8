"""Where to begin decoding a video, so that what is shown at a given tick is exact."""

from collections.abc import Iterator
from itertools import chain

from av.packet import Packet
from av.stream import Stream

from egonorm.data.readers.container import Track, shown_at

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
    if first is None or refreshes(track.stream, first):
        return None
    return track.packets_before(shown_at(first) - 1)


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
