"""Decode only what a window needs: frames that it does not show and that no other frame refers to are left out."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from av.packet import Packet

from egonorm.data.readers.container import Track

CODECS = ("h264",)
"""Whose decoder tells, from a packet's first bytes, that no other refers to it; HEVC's tells of one temporal layer alone."""


def sparing(track: Track, packets: Iterator[Packet], ticks: Sequence[int]) -> Iterator[Packet]:
    """The same packets; the decoder is told before each whether it may leave it out.

    What is shown at a tick is known without decoding: packets are read on until all that is shown up to the last tick has
    been read, since nothing is shown before it is decoded. Packets without times, and those behind, are decoded.
    """
    if track.stream.codec_context.name not in CODECS:
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
