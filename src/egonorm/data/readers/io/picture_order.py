"""Videos that do not say when their pictures are shown: these come in the order in which the decoder gives them.

AVI stores no times, and a file that was made of one without decoding has the times of decoding. Where pictures are coded in
another order than they are shown in (B-frames), such times are those of other pictures.
"""

from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from heapq import heappop, heappush
from itertools import islice
from math import inf
from pathlib import Path

from av.packet import Packet
from av.video.frame import VideoFrame

from egonorm.core import DataError
from egonorm.data.readers.io.container import Track, open_track, shown_at

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


def frames_by_order(track: Track, packets: Iterator[Packet], delay: int | None) -> Iterator[VideoFrame]:
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
