"""A stretch of a clip's media as a small MP4 file that browsers play: H.264 and AAC."""

import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from jaxtyping import Float, UInt8

from egonorm.core import DataError, RunError
from egonorm.data.manifest import Clip
from egonorm.data.readers.protocol import Reader, seconds_of
from egonorm.data.sets import ClipSet
from egonorm.data.transforms import PICTURES, SOUND, AudioInput, FrameInput, Input, SoundInput, VideoInput
from egonorm.data.windows import Span, Window
from egonorm.signal import Waveform

FPS, RATE = 15, 32000
LONGEST = 10.0
"""Seconds."""
SIDE = 320
"""Pixels of the longer side, at most."""
_SHORT_SIDE = 180
_ASIDE = 1 / 240
"""Seconds by which one looks later than the middle of a tick, where pictures of 30 a second change and rounding would decide."""
_PICTURES = {"preset": "veryfast", "crf": "27", "threads": "1", "g": "15"}


@dataclass(frozen=True)
class Media:
    """How the media of some data are shown to people: one modality of pictures, one of sound, or one of these."""

    data: ClipSet
    pictures: tuple[str, FrameInput] | None
    sound: tuple[str, SoundInput] | None

    def seen(self, span: Span, short_side: int | None = None) -> Reader:
        """The reader of the pictures, on a span of one's own."""
        assert self.pictures is not None
        name, given = self.pictures[0], cast(VideoInput, self.pictures[1])
        return self.data.reader(name, replace(given, span=span, short_side=short_side or given.short_side))

    def heard(self, seconds: float) -> Reader:
        """The reader of so many seconds of waveform."""
        assert self.sound is not None
        return self.data.reader(self.sound[0], AudioInput(Waveform(RATE, seconds)))

    def lasts(self, media: str) -> float:
        """How many seconds all of it lasts."""
        readers = [self.seen(Span(1, 1, float(FPS)))] if self.pictures else []
        readers += [self.heard(1.0)] if self.sound else []
        return min(seconds_of(reader, media) for reader in readers)


def find_media(data: ClipSet, own: dict[str, Input], usual: dict[str, Input], media: str) -> Media:
    """Pictures and sound of some data: as a network is fed them, else, where `media` has them too, as is usual.

    Raises:
        DataError: when `media` has neither, or what the network is fed cannot be read.
    """
    pictures = [(n, cast(FrameInput, x)) for n, x in own.items() if x.reads == PICTURES]
    sounds = [(n, cast(SoundInput, x)) for n, x in own.items() if x.reads == SOUND]
    if not pictures:
        seen = [(n, cast(FrameInput, x)) for n, x in usual.items() if x.reads == PICTURES]
        pictures = [(n, x) for n, x in seen if _is_there(Media(data, (n, x), None), media)]
    if not sounds:
        heard = [(n, cast(SoundInput, x)) for n, x in usual.items() if x.reads == SOUND]
        sounds = [(n, x) for n, x in heard if _is_there(Media(data, None, (n, x)), media)]
    if not pictures and not sounds:
        raise DataError(
            f"{media} has nothing that one could show.",
            got="no pictures and no sound",
            expected="one of these",
            remedy="Check the media: egonorm data check",
        )
    return Media(data, pictures[0] if pictures else None, sounds[0] if sounds else None)


def _is_there(media: Media, name: str) -> bool:
    try:
        return media.lasts(name) > 0
    except DataError:
        return False


def excerpt(media: Media, clip: Clip, low: float, high: float) -> bytes:
    """The action and what else lies from `low` to `high`: at most ten seconds around the action's middle, as MP4."""
    middle = (clip.start + clip.stop) / 2
    start = max(0.0, min(low, clip.start), middle - LONGEST / 2)
    stop = min(media.lasts(clip.media), max(high, clip.stop), middle + LONGEST / 2)
    number = max(1, floor((stop - start) * FPS))
    stop = start + number / FPS
    pictures = sound = None
    if media.pictures:
        reader = media.seen(Span(number, 1, float(FPS)), _SHORT_SIDE)
        pictures = reader(clip.media, [Window(start + _ASIDE, stop)])[0].numpy()
    if media.sound:
        sound = media.heard(number / FPS)(clip.media, [Window(start, stop)])[0].numpy()
    return encode_clip(pictures, sound)


def encode_clip(
    pictures: UInt8[np.ndarray, "frame height width 3"] | None, sound: Float[np.ndarray, " sample"] | None
) -> bytes:
    """The file's bytes, with what describes it in front, so that it plays before all of it is there."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "it.mp4"
            with av.open(path, "w", container_options={"movflags": "faststart"}) as container:
                _fill(container, pictures, sound)
            return path.read_bytes()
    except (FFmpegError, ValueError) as error:
        raise RunError(
            "A video could not be encoded.",
            got=error,
            expected="an FFmpeg with the encoders libx264 and aac",
            remedy="Install the wheel of PyAV.",
        ) from None


def plays(path: Path) -> bool:
    """Whether a file is a video of which nothing is missing."""
    try:
        with av.open(path) as container:
            packets = [packet for packet in container.demux() if packet.size]
            found = Counter(packet.stream_index for packet in packets)
            whole = all(found[stream.index] == stream.frames for stream in container.streams)
            return whole and bool(packets) and not any(packet.is_corrupt for packet in packets)
    except (FFmpegError, ValueError):
        return False


def _fill(container: OutputContainer, pictures: np.ndarray | None, sound: np.ndarray | None) -> None:
    """Both streams are added before the first packet is written."""
    video: Any = None
    audio: Any = None
    if pictures is not None:
        video = container.add_stream("libx264", rate=FPS, options=_PICTURES)
        video.height, video.width = _size(*pictures.shape[1:3])
        video.pix_fmt = "yuv420p"
    if sound is not None:
        audio = container.add_stream("aac", rate=RATE, layout="mono")
        audio.bit_rate = 64_000
    for number, picture in enumerate(() if pictures is None else pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame = frame.reformat(video.width, video.height, "yuv420p", interpolation="BILINEAR")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        container.mux(video.encode(frame))
    samples = np.empty(0, np.float32) if sound is None else sound
    for begin in range(0, len(samples), 1024):
        heard = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None, begin : begin + 1024]), "fltp", "mono")
        heard.sample_rate, heard.pts, heard.time_base = RATE, begin, Fraction(1, RATE)
        container.mux(audio.encode(heard))
    for stream in (video, audio):
        if stream is not None:
            container.mux(stream.encode(None))


def _size(height: int, width: int) -> tuple[int, int]:
    """Even sides, the longer one at most `SIDE`."""
    scale = min(1.0, SIDE / max(height, width))
    return max(2, 2 * round(height * scale / 2)), max(2, 2 * round(width * scale / 2))
