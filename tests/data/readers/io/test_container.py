"""Which files are opened: containers and streams of video and sound, of a size that makes sense."""

import struct
import threading
from fractions import Fraction
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import av
import media
import pytest
from PIL import Image

from egonorm.core import DataError
from egonorm.data.readers.audio import AudioReader
from egonorm.data.readers.io.container import FORMATS
from egonorm.data.readers.video import VideoReader
from egonorm.data.windows import Span, Window
from egonorm.signal.spectrogram import Spectrogram

NO_MEDIA = {
    "a.txt": "hello\n" * 99,
    "a.ans": "\x1b[31mhello" * 99,
    "a.nfo": "hello" * 99,
    "text.mp4": "hello\n" * 99,
    "a.srt": "1\n00:00:00,000 --> 00:00:09,000\nhello\n\n" * 9,
    "a.vtt": "WEBVTT\n\n00:00.000 --> 00:09.000\nhello\n",
    "a.ass": "[Script Info]\nScriptType: v4.00+\n[Events]\nFormat: Start, End, Text\nDialogue: 0:00:00.00,0:00:09.00,hello\n",
    "a.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\ngood.ts\n#EXT-X-ENDLIST\n",
    "list.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\ngood.ts\n#EXT-X-ENDLIST\n",
    "a.ffconcat": "ffconcat version 1.0\nfile good.ts\n",
    "concat.mp4": "ffconcat version 1.0\nfile good.ts\n",
    "a.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "a.csv": "a,b\n1,2\n" * 99,
    "color.lavfi": "color=c=red",
}


def refusals(folder: Path, name: str) -> list[DataError]:
    """What both readers say against a file, examining it and showing something of it."""
    readers = (VideoReader(folder, Span()), AudioReader(folder, Spectrogram()))
    window = [Window(0.0, 0.5)]
    asked = [
        *(partial(reader.examine, name, thorough) for reader in readers for thorough in (False, True)),
        *(partial(reader, name, window) for reader in readers),
    ]
    found = []
    for ask in asked:
        with pytest.raises(DataError) as caught:
            ask()
        found.append(caught.value)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", NO_MEDIA)
def test_texts_and_playlists_are_no_media(tmp_path, name):
    media.write_video(tmp_path / "good.ts", range(30))
    (tmp_path / name).write_text(NO_MEDIA[name])
    for error in refusals(tmp_path, name):
        assert f"{name} cannot be read" in error.what and "media" in error.expected + error.remedy


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.webp", "a.tiff", "frame%03d.png"])
def test_pictures_are_no_media(tmp_path, name):
    for number in range(3):
        Image.new("RGB", (64, 64)).save(tmp_path / (name % number if "%" in name else name))
    for error in refusals(tmp_path, name):
        assert "cannot be read" in error.what
    if "%" not in name:
        assert "pictures are not opened" in error.remedy


def test_nothing_is_fetched_from_a_network(tmp_path):
    asked = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

    server = HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place = f"http://127.0.0.1:{server.server_port}/it.ts"
    for name in ("a.m3u8", "a.mp4", "a.ffconcat"):
        start = (
            "ffconcat version 1.0\nfile " if name == "a.ffconcat" else "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n"
        )
        (tmp_path / name).write_text(f"{start}{place}\n")
        refusals(tmp_path, name)
    server.shutdown()
    server.server_close()
    assert asked == []


def test_every_format_is_one_that_ffmpeg_knows():
    known = {name for names in av.formats_available for name in names.split(",")}
    assert set(FORMATS) <= known


def huge_jpeg_pictures(path: Path) -> None:
    with av.open(path, "w") as container:
        stream = container.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuvj420p"
        for number in range(9):
            frame = av.VideoFrame.from_ndarray(media.bar_code(number)).reformat(format="yuvj420p")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = path.read_bytes().split(b"\xff\xc0")
    path.write_bytes(
        b"\xff\xc0".join([data[0], *(part[:3] + struct.pack(">HH", 30000, 30000) + part[7:] for part in data[1:])])
    )


def huge_mpeg2(path: Path) -> None:
    media.write_video(path, range(30), codec="mpeg2video", options={"b": "6000000"})
    data = path.read_bytes().split(b"\0\0\1\xb3")
    path.write_bytes(b"\0\0\1\xb3".join([data[0], *(b"\xff\xff\xff" + part[3:] for part in data[1:])]))


def huge_y4m(path: Path) -> None:
    path.write_bytes(b"YUV4MPEG2 W30000 H30000 F30:1 C420jpeg\nFRAME\n" + bytes(1000))


def many_channels(path: Path) -> None:
    head = b".snd" + struct.pack(">IIIII", 24, 0xFFFFFFFF, 3, 24000, 10**9)
    path.write_bytes(head + b"\1\0" * 24000)


def high_rate(path: Path) -> None:
    path.write_bytes(b".snd" + struct.pack(">IIIII", 24, 0xFFFFFFFF, 3, 2 * 10**9, 1) + b"\1\0" * 24000)


def wav_of_many_channels(path: Path) -> None:
    form = struct.pack("<IHHIIHH", 16, 1, 60000, 24000, 1440000000, 60000, 8)
    path.write_bytes(
        b"RIFF" + struct.pack("<I", 48036) + b"WAVEfmt " + form + b"data" + struct.pack("<I", 48000) + bytes(48000)
    )


def sound_without_end(path: Path) -> None:
    media.write_sound(path, media.chirp(3, 48000), 48000, "flac")
    data = bytearray(path.read_bytes())
    data[21] |= 15
    data[22:26] = b"\xff\xff\xff\xff"
    path.write_bytes(data)


def times_without_end(path: Path) -> None:
    with av.open(path, "w") as container:
        stream = media.add_sound(container, 48000, codec="pcm_s16le")
        media.mux_sound(container, stream, media.chirp(1, 48000), 48000)
        media.mux_sound(container, stream, media.chirp(1, 48000), 48000, first=48000 * 10**6)


HUGE = {
    "jpeg.avi": (huge_jpeg_pictures, "decoded"),
    "jpeg.mov": (huge_jpeg_pictures, "decoded"),
    "mpeg2.mpg": (huge_mpeg2, "decoded"),
    "raw.y4m": (huge_y4m, "cannot be read"),
    "channels.au": (many_channels, "cannot be read"),
    "rate.au": (high_rate, "claims to be larger than any audio"),
    "channels.wav": (wav_of_many_channels, "cannot decode"),
    "long.flac": (sound_without_end, "is truncated"),
    "times.mkv": (times_without_end, "claims to last longer"),
}


@pytest.mark.parametrize("name", HUGE)
def test_what_a_header_claims_takes_no_memory(tmp_path, name):
    make, what = HUGE[name]
    make(tmp_path / name)
    sound = name.endswith((".au", ".wav", ".flac", ".mkv"))
    reader = AudioReader(tmp_path, Spectrogram()) if sound else VideoReader(tmp_path, Span())
    before = peak()
    for thorough in (False, True):
        with pytest.raises(DataError, match=what):
            reader.examine(name, thorough)
    if "truncated" not in what and "last" not in what:
        with pytest.raises(DataError):
            reader(name, [Window(0.1, 0.5)])
    assert peak() - before < 200e6


def peak() -> float:
    """The most bytes that this process has held."""
    return 1024 * float(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])


def test_a_picture_that_is_larger_than_the_limit_is_refused_by_its_header(tmp_path, monkeypatch):
    media.write_video(tmp_path / "it.mp4", range(3))
    monkeypatch.setattr("egonorm.data.readers.io.container.MAX_PIXELS", 160 * 120 - 1)
    with pytest.raises(
        DataError, match=r"it\.mp4 claims to be larger than any video[\s\S]*160 x 120[\s\S]*at most 19199 pixels"
    ):
        VideoReader(tmp_path, Span()).examine("it.mp4")


def late_sound(path: Path, start: int = 6) -> None:
    """FLV whose sound begins at a second, one before its pictures end, and of which no header tells, as in recorded streams."""
    with av.open(path, "w") as container:
        video = media.add_video(container, Fraction(1, 10), codec="flv", num_b_frames=0)
        audio = media.add_sound(container, 22050, codec="mp3")
        for number in range(10 * start + 10):
            container.mux(video.encode(media.as_frame(media.bar_code(number), number, Fraction(1, 10))))
        container.mux(video.encode(None))
        media.mux_sound(container, audio, media.chirp(1, 22050), 22050, first=start * 22050)
        container.mux(audio.encode(None))
    data, tags, at = path.read_bytes(), [], 13
    while at < len(data):
        size = 15 + int.from_bytes(data[at + 1 : at + 4], "big")
        tags.append(data[at : at + size])
        at += size
    streams = sorted((tag for tag in tags if tag[0] != 18), key=lambda tag: tag[4:7])  # by their times
    path.write_bytes(data[:4] + b"\1" + data[5:13] + b"".join(streams))


def test_sound_that_begins_late_does_not_spoil_the_pictures(tmp_path):
    late_sound(tmp_path / "it.flv")
    with av.open(tmp_path / "it.flv") as container:
        assert [stream.type for stream in container.streams] == ["video"]
    reader = VideoReader(tmp_path, Span(4, 1, 10.0))
    for thorough in (False, True):
        assert reader.examine("it.flv", thorough) == pytest.approx(7.0, abs=0.11)
    shown = reader("it.flv", [Window(6.6, 7.0)])[0]
    assert [media.read_bar_code(picture.numpy()) for picture in shown] == [66, 67, 68, 69]
