"""Videos that do not say when their pictures are shown: every picture once, in order, in every window, as in a full decode."""

import random
from fractions import Fraction
from pathlib import Path

import av
import media
import pytest

from egonorm.core import DataError
from egonorm.data.readers.io.container import Track, open_track
from egonorm.data.readers.io.video_decode import decode_packets, tick_of
from egonorm.data.readers.video import VideoReader, read_frames
from egonorm.data.windows import Span

NUMBER = 60
QUIET = {"x265-params": "log-level=none:bframes=3:b-adapt=0:keyint=20:min-keyint=20:open-gop=0"}
OPEN = {"x264-params": "open-gop=1:keyint=20:min-keyint=20:bframes=3:b-adapt=0"}
CODECS = {
    "h264": {"codec": "libx264", "num_b_frames": 3, "options": {"x264-params": "b-adapt=0"}},
    "open": {"codec": "libx264", "num_b_frames": 3, "options": OPEN},
    "hevc": {"codec": "libx265", "options": QUIET},
    "asp": {"codec": "mpeg4", "options": {"b": "6000000", "b_strategy": "0"}},
    "mpeg2": {"codec": "mpeg2video", "options": {"b": "6000000", "b_strategy": "0"}},
    "plain": {"codec": "libx264", "num_b_frames": 0},
}
BARE = {"h264": "h264", "open": "h264", "hevc": "hevc", "asp": "m4v", "mpeg2": "mpeg2video"}
START = b"\0\0\1\xb6"
"""How a picture begins in MPEG-4; behind it come two bits that say of which kind it is."""


def encode(path: Path, codec: str, ticks=range(NUMBER), format=None) -> Path:
    with av.open(path, "w", format=format) as container:
        stream = media.add_video(container, Fraction(1, 30), gop=20, **CODECS[codec])
        for number, tick in enumerate(ticks):
            container.mux(stream.encode(media.as_frame(media.bar_code(number), tick, Fraction(1, 30))))
        container.mux(stream.encode(None))
    return path


def guess_times(source: Path, path: Path) -> Path:
    """What a program makes that copies a stream without times: the count of packets is taken for the time of a picture."""
    with av.open(source) as given, av.open(path, "w") as container:
        stream = given.streams.video[0]
        copy = container.add_stream_from_template(stream)
        for number, packet in enumerate(packet for packet in given.demux(stream) if packet.size):
            packet.stream, packet.time_base, packet.duration = copy, Fraction(1, 30), 1
            packet.pts = packet.dts = number
            container.mux(packet)
    return path


def pack_b_frames(source: Path, path: Path) -> Path:
    """What DivX 5 writes: a B-picture shares the packet of the one that it needs, and a picture "not coded" follows."""
    with av.open(source, format="m4v") as given:
        stream = given.streams.video[0]
        head, packets = stream.codec_context.extradata, [bytes(packet) for packet in given.demux(stream) if packet.size]
    kind = lambda packet: "IPBS"[packet[packet.index(START) + 4] >> 6]  # noqa: E731
    first = packets[0].index(START)
    packets[0] = packets[0][:first] + b"\0\0\1\xb2DivX503b1393p" + packets[0][first:]
    together = []
    while packets:
        pair = len(packets) > 1 and kind(packets[1]) == "B"
        together += [(b"".join(packets[: 1 + pair]), kind(packets[0]) == "I"), *[(START + b"\x51\0\x7f", False)] * pair]
        del packets[: 1 + pair]
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", 30)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 160, 120, "yuv420p", Fraction(1, 30)
        stream.codec_context.codec_tag, stream.codec_context.extradata = "XVID", head
        for number, (content, key) in enumerate(together):
            packet = av.Packet(content)
            packet.stream, packet.dts, packet.pts, packet.time_base, packet.is_keyframe = (
                stream,
                number,
                number,
                Fraction(1, 30),
                key,
            )
            container.mux(packet)
    return path


def make(folder: Path, container: str, codec: str) -> Path:
    path = folder / f"it.{container}"
    if container == "avi" and codec == "packed":
        CODECS["packed"] = CODECS["asp"] | {"num_b_frames": 1}
        return pack_b_frames(encode(folder / "plain.m4v", "packed", format="m4v"), path)
    if container == "avi":
        return encode(path, codec)
    if container == "bare":
        return encode(folder / f"it.{BARE[codec]}", codec, format=BARE[codec])
    return guess_times(encode(folder / "right.mkv", codec), path)


def full_decode(path: Path) -> list[tuple[float, int]]:
    """When every picture is shown, and its number, in the order of decoding."""
    with open_track(path, "video") as track:
        frames = decode_packets(track, track.packets(), jumped=False)
        return [
            (track.seconds(tick_of(frame)), media.read_bar_code(frame.to_ndarray(format="rgb24"))) for frame in frames
        ]


FILES = [
    *(("avi", codec) for codec in ("h264", "open", "asp", "packed", "plain")),
    *((container, codec) for container in ("mp4", "mov", "mkv", "nut") for codec in ("h264", "hevc", "asp")),
    *(("ts", codec) for codec in ("h264", "hevc")),
    *(("flv", codec) for codec in ("h264", "open")),
    ("asf", "h264"),
    ("mp4", "open"),
    ("mkv", "mpeg2"),
    *(("bare", codec) for codec in BARE),
]


@pytest.mark.slow
@pytest.mark.parametrize(("container", "codec"), FILES)
def test_every_picture_is_shown_once_and_in_order(tmp_path, container, codec):
    path = make(tmp_path, container, codec)
    times, numbers = zip(*full_decode(path), strict=True)
    assert list(numbers) == list(range(NUMBER))
    assert [time - times[0] for time in times] == pytest.approx([k / 30 for k in range(NUMBER)], abs=1e-3)
    assert -1e-6 <= times[0] <= 2 / 30
    assert VideoReader(tmp_path, Span()).examine(path.name, thorough=True) == pytest.approx(
        times[-1] + 1 / 30, abs=1e-3
    )
    draw = random.Random(f"{container}/{codec}")
    for _ in range(15):
        first = draw.randrange(NUMBER - 8)
        asked = [time + 0.01 for time in times[first : first + 8 : draw.choice([1, 3])]]
        shown = [media.read_bar_code(picture.numpy()) for picture in read_frames(path, asked)]
        assert shown == [numbers[first + round((time - asked[0]) * 30)] for time in asked]


@pytest.mark.parametrize(("container", "codec"), [("avi", "h264"), ("avi", "asp"), ("mp4", "h264"), ("mp4", "hevc")])
def test_a_window_is_decoded_from_a_keyframe(tmp_path, container, codec, monkeypatch):
    path, decode, decoded = make(tmp_path, container, codec), Track.decode, []
    assert media.read_bar_code(read_frames(path, (45.01 / 30,))[0].numpy()) >= 43
    monkeypatch.setattr(Track, "decode", lambda track, packet: decoded.append(packet) or decode(track, packet))
    read_frames(path, (45.01 / 30,))
    assert len(decoded) < 20


def test_a_pause_in_an_avi_file_repeats_the_picture_before(tmp_path):
    ticks = [0, 1, 2, 6, 7, 12, *range(13, 40)]
    path = encode(tmp_path / "it.avi", "plain", ticks)
    times = [time for time, _ in full_decode(path)]
    assert times == pytest.approx([tick / 30 for tick in ticks])
    assert [media.read_bar_code(x.numpy()) for x in read_frames(path, [k / 30 + 0.01 for k in (2, 5, 6, 11, 12)])] == [
        2,
        2,
        3,
        4,
        5,
    ]


def test_times_that_run_backwards_are_refused(tmp_path):
    """Two transport streams in one file, as `cat` makes it."""
    first = encode(tmp_path / "it.ts", "h264").read_bytes()
    (tmp_path / "it.ts").write_bytes(first + first)
    with pytest.raises(DataError, match=r"it\.ts has pictures whose times run backwards[\s\S]*ffmpeg -i FILE"):
        VideoReader(tmp_path, Span()).examine("it.ts")
