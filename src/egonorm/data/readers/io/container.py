"""One stream of a media file: opening it, its packets and frames by time, and how long it really lasts."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import av
from av.container import InputContainer
from av.error import ArgumentError, FFmpegError
from av.packet import Packet
from av.stream import Discard, Disposition, Stream

from egonorm.core import DataError, PartlyBrokenError

Kind = Literal["video", "audio"]
JUMPS = (0.0, 0.25, 1.0, 4.0, 16.0)
"""How many seconds before the wanted moment a seek aims, one after the other, until what it finds is early enough."""
BARE = (
    *(
        "h261",
        "h263",
        "h264",
        "hevc",
        "vvc",
        "m4v",
        "mpegvideo",
        "vc1",
        "obu",
        "mjpeg",
        "mjpeg_2000",
        "dirac",
        "dnxhd",
        "cavsvideo",
    ),
    *("avs2", "avs3", "evc"),
)
"""Streams without a container, whose packets have no times: they come at the stream's own rate."""
DEFAULT_RATE = 25
"""Pictures a second where nothing tells the rate, as FFmpeg takes it."""
WITHOUT_TIMES, GUESSED = ("avi", "asf"), ("h264", "hevc", "vvc")
"""Containers that store when a packet is decoded alone, and codecs of which FFmpeg cannot tell the rest from the packets."""
UNSEEKABLE = ("mpeg", *BARE)
"""Formats that are read from their start: after a jump in an MPEG program stream FFmpeg guesses wrong timestamps."""
FORMATS = (
    *(
        "amv",
        "apng",
        "asf",
        "avi",
        "dhav",
        "dv",
        "flic",
        "flv",
        "gif",
        "gxf",
        "ivf",
        "kux",
        "live_flv",
        "lxf",
        "matroska",
        "mlv",
    ),
    *(
        "mov",
        "mpeg",
        "mpegts",
        "mxf",
        "nsv",
        "nut",
        "nuv",
        "ogg",
        "pva",
        "r3d",
        "rm",
        "swf",
        "ty",
        "vivo",
        "wtv",
        "yuv4mpegpipe",
    ),
    *(
        "aac",
        "ac3",
        "adx",
        "aiff",
        "amr",
        "amrnb",
        "amrwb",
        "ape",
        "au",
        "caf",
        "dsf",
        "dts",
        "dtshd",
        "eac3",
        "flac",
        "gsm",
        "iff",
    ),
    *(
        "ircam",
        "loas",
        "mlp",
        "mp3",
        "mpc",
        "mpc8",
        "nistsphere",
        "oma",
        "paf",
        "pvf",
        "qcp",
        "shn",
        "sox",
        "tak",
        "truehd",
        "tta",
    ),
    *("voc", "w64", "wav", "wv", "xwma"),
    *BARE,
)
"""FFmpeg's demuxers that may open a file: video and sound. No text, playlist, picture, device or network."""
MAX_PIXELS = 1 << 26
"""Of a picture: 8192 x 8192. What claims more is refused before memory is taken."""
MAX_CHANNELS, MAX_RATE = 256, 1 << 20
"""Of sound: channels, and samples a second."""
OPENED_WITH = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "file", "max_pixels": str(MAX_PIXELS)}
REENCODE = "Make a new file of it: ffmpeg -i FILE -c:v libx264 -crf 18 -c:a aac NEW.mp4"
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
        for number, packet in enumerate(self._demuxed()):
            if self.container.format.name in BARE and packet.size:
                rate = self.stream.guessed_rate or self.stream.average_rate or DEFAULT_RATE
                packet.pts, packet.dts = None, round(number / rate / self.base)
                packet.duration = round(1 / rate / self.base)
            elif self.container.format.name in WITHOUT_TIMES and self.stream.codec_context.name in GUESSED:
                packet.pts = None
            yield packet

    def _demuxed(self) -> Iterator[Packet]:
        """The same as PyAV gives them.

        Where a stream has appeared while it read, as sound that begins late in FLV, PyAV may take it for one that was asked for,
        and fail after all packets of those that were.
        """
        packets = self.container.demux(self.stream)
        with suppress(IndexError):
            yield from packets

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
        if is_incomplete(packet):
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
    try:
        container = av.open(str(path.absolute()), metadata_errors="replace", options=OPENED_WITH)
    except ArgumentError:
        raise DataError(
            f"{path} cannot be read.",
            got="a file of another kind, or a header that makes no sense",
            expected="a container or stream of video or sound, as MP4, MOV, Matroska, AVI, MPEG, Ogg, WAV, FLAC or MP3",
            remedy="Give the media file itself: texts, playlists and pictures are not opened.",
        ) from None
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
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)} | ({"err_detect": "explode"} if strict else {})
    return Track(path, container, stream)


def shown_at(packet: Packet) -> int | None:
    """The tick at which what a packet holds is shown; files without presentation times have decoding times alone."""
    return packet.dts if packet.pts is None else packet.pts


def is_incomplete(packet: Packet) -> bool:
    """Whether a part of a packet is missing. Of plain samples those that are there are whole."""
    return packet.is_corrupt and not packet.stream.codec_context.name.startswith("pcm_")


def undecodable(track: Track, tick: int | None, got: str) -> PartlyBrokenError:
    """The error of a stream that is corrupt at a tick."""
    place = "near its end" if tick is None else f"at {track.seconds(tick):.3f} s"
    return PartlyBrokenError(
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
    if stream is None:  # FFmpeg counts none of which it knows too little
        stream = next((other for other in container.streams if other.type == kind), None)
    if stream is None or stream.disposition & Disposition.attached_pic:
        found = {other.type for other in container.streams if not other.disposition & Disposition.attached_pic}
        what = "sound without a picture" if kind == "video" else "a video without sound"
        raise DataError(
            f"{path} is {what}.",
            got=f"streams of the kind {', '.join(sorted(found)) or 'none'}",
            expected=f"a media file with {kind}",
            remedy="Leave this modality out, or remove the clips of this file.",
        )
    if stream.codec_context is None or not _is_known(stream):
        raise DataError(
            f"{path} has {kind} that this FFmpeg cannot decode.",
            got="an unknown codec, or a header that makes no sense",
            expected="a codec that PyAV's FFmpeg knows",
            remedy="Convert the file, to H.264 and AAC for example.",
        )
    _check_size(path, stream)
    return stream


def _is_known(stream: Stream) -> bool:
    context: Any = stream.codec_context
    return (
        bool(context.width and context.height)
        if stream.type == "video"
        else bool(context.sample_rate and context.channels)
    )


def _check_size(path: Path, stream: Stream) -> None:
    """Refuse what a header claims before memory is taken for it."""
    context: Any = stream.codec_context
    if stream.type == "video":
        found, most = f"{context.width} x {context.height} pixels", f"at most {MAX_PIXELS} pixels"
        too_large = context.width * context.height > MAX_PIXELS
    else:
        found = f"{context.channels} channels, {context.sample_rate} samples a second"
        most = f"at most {MAX_CHANNELS} channels and {MAX_RATE} samples a second"
        too_large = context.channels > MAX_CHANNELS or context.sample_rate > MAX_RATE
    if too_large:
        raise DataError(
            f"{path} claims to be larger than any {stream.type} that is read.",
            got=found,
            expected=most,
            remedy="See whether its header is damaged; if it is not, make a smaller one of it.",
        )
