"""What examining finds, and which clips it costs: those whose windows need what is broken, and no others."""

import math
import os
import re
import signal
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import av
import media
import numpy as np
import pytest
import simplejpeg
import torch

from egonorm.cli import main
from egonorm.core import DataError, PartlyBrokenError
from egonorm.data.check import describe_problems, find_problems, looked_at, screen
from egonorm.data.manifest import Clip, Manifest
from egonorm.data.readers.audio import AudioReader
from egonorm.data.readers.flow import FlowReader
from egonorm.data.readers.image_sequence import FrameReader
from egonorm.data.readers.video import VideoReader
from egonorm.data.windows import Span, Window, even_windows, shown_between
from egonorm.signal.spectrogram import Spectrogram

SPAN = Span(4, 3, 30.0)


def clips_of(name: str, seconds: float, length: float = 0.5) -> Manifest:
    """Clips one after the other over a whole medium."""
    starts = np.arange(0, seconds - length + 1e-9, length)
    clips = [
        Clip(f"{name}-{k}", name, float(start), float(start + length), "cut", "home", "train")
        for k, start in enumerate(starts)
    ]
    return Manifest(tuple(clips), ("cut",))


def readable(reader, clip: Clip) -> bool:
    """Whether every window can be read: those of a test together, and each that training may draw."""
    ticks = range(math.ceil(clip.start * SPAN.fps), math.floor(clip.stop * SPAN.fps))
    windows = [
        even_windows(tick / SPAN.fps, tick / SPAN.fps, SPAN, 1)[0]
        for tick in ticks[SPAN.ticks // 2 : -SPAN.ticks // 2 : 2]
    ]
    try:
        reader(clip.media, even_windows(clip.start, clip.stop, SPAN, 5))
        for window in windows:
            reader(clip.media, [window])
    except DataError:
        return False
    return True


def lost_and_unreadable(reader, manifest: Manifest, thorough: bool = True) -> tuple[set[str], set[str]]:
    problems = find_problems(manifest, {"it": reader}, thorough)
    return {uid for problem in problems for uid in problem.uids}, {
        clip.uid for clip in manifest.clips if not readable(reader, clip)
    }


OPEN = {"x264-params": "open-gop=1:keyint=15:min-keyint=15:bframes=3:b-adapt=0"}
VIDEOS = {
    "closed.mp4": {"num_b_frames": 3},
    "open.mp4": {"num_b_frames": 3, "options": OPEN},
    "hevc.mkv": {"codec": "libx265", "options": {"x265-params": "log-level=none"}},
    "asp.avi": {"codec": "mpeg4", "options": {"b": "6000000"}},
    "order.avi": {"num_b_frames": 3},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", VIDEOS)
def test_a_broken_packet_costs_the_clips_that_need_it(tmp_path, name):
    path = media.write_video(tmp_path / name, range(240), gop=15, **VIDEOS[name])
    seconds = [media.spoil(path, second) for second in (2.1, 5.75)]
    manifest, reader = clips_of(name, 8), VideoReader(tmp_path, SPAN)
    lost, unreadable = lost_and_unreadable(reader, manifest)
    assert unreadable <= lost
    for clip in manifest.clips:
        far = all(clip.stop + 0.3 < second or clip.start > second + 1.1 for second in seconds)
        assert not (far and clip.uid in lost), clip
    assert 0 < len(lost) <= 9


@pytest.mark.slow
@pytest.mark.parametrize(("name", "codec"), [("aac.mp4", "aac"), ("opus.mkv", "libopus"), ("mp3.mp3", "libmp3lame")])
def test_a_broken_packet_of_sound_costs_the_clips_that_need_it(tmp_path, name, codec):
    path = media.write_sound(tmp_path / name, media.chirp(8, 48000), 48000, codec)
    seconds = [media.spoil(path, second, "audio") for second in (2.1, 5.75)]
    manifest, reader = clips_of(name, 8), AudioReader(tmp_path, Spectrogram())
    lost, unreadable = lost_and_unreadable(reader, manifest)
    assert unreadable <= lost
    for clip in manifest.clips:
        far = all(clip.stop + 0.8 < second or clip.start > second + 1.1 for second in seconds)
        assert not (far and clip.uid in lost), clip


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), [("it.mp4", {}), ("it.mkv", {}), ("it.avi", {"codec": "mpeg4"})])
def test_a_truncated_video_costs_the_clips_after_its_end(tmp_path, name, options):
    media.cut_off(media.write_video(tmp_path / name, range(240), **options), 0.6)
    manifest, reader = clips_of(name, 8), VideoReader(tmp_path, SPAN)
    for thorough in (False, True):
        lost, unreadable = lost_and_unreadable(reader, manifest, thorough)
        assert unreadable <= lost and {f"{name}-15", f"{name}-14"} <= lost
        assert 3 <= len(lost) <= 11 and lost == {f"{name}-{k}" for k in range(16 - len(lost), 16)}


@pytest.mark.parametrize("tag", [b"about two seconds.", b"01:02", b"-1:00:02.000000000", b"nan:nan:nan"])
def test_a_tag_that_tells_no_duration_is_passed_over(tmp_path, tag):
    path = media.write_video(tmp_path / "it.mkv", range(60))
    content, told = path.read_bytes(), b"00:00:02.000000000"
    assert content.count(told) == 1
    path.write_bytes(content.replace(told, tag.ljust(len(told))))
    assert VideoReader(tmp_path, SPAN).examine("it.mkv") == pytest.approx(2.0)


def test_what_is_left_out_is_what_is_needed(tmp_path):
    media.cut_off(media.write_video(tmp_path / "it.mp4", range(240)), 0.6)
    manifest, reader = clips_of("it.mp4", 8), {"rgb": VideoReader(tmp_path, SPAN)}
    with pytest.raises(DataError, match=r"it\.mp4 \(rgb; clips it\.mp4-\d+, .*is truncated[\s\S]*--skip-broken"):
        screen(manifest, reader, False, lambda done, total: None)
    usable, (problem,) = screen(manifest, reader, True, lambda done, total: None)
    assert len(usable) == 16 - len(problem.uids) > 4
    assert max(clip.stop for clip in usable.clips) <= min(
        manifest.clips[int(uid.split("-")[1])].start for uid in problem.uids
    )


def picture(number: int, size: tuple[int, int] = (16, 24)) -> bytes:
    return simplejpeg.encode_jpeg(np.full((*size, 3), number % 200, np.uint8), 90)


def fill(folder: Path, numbers) -> Path:
    folder.mkdir(parents=True)
    for number in numbers:
        (folder / f"frame_{number:010d}.jpg").write_bytes(picture(number))
    return folder


@pytest.mark.parametrize("fault", ["hole", "empty", "link", "cut", "size", "first", "last"])
def test_a_broken_picture_costs_the_clips_that_show_it(tmp_path, fault):
    folder = fill(tmp_path / "video", range(1, 241))
    number = {"first": 1, "last": 240}.get(fault, 100)
    path = folder / f"frame_{number:010d}.jpg"
    spoilt = {"hole": None, "empty": b"", "size": picture(9, (16, 16))}.get(fault, picture(9)[:-30])
    path.unlink()
    if fault == "link":
        path.symlink_to(tmp_path / "nowhere.jpg")
    elif spoilt is not None:
        path.write_bytes(spoilt)
    manifest, reader = clips_of("video", 8), FrameReader(tmp_path, SPAN, None, rate=30.0)
    lost, unreadable = lost_and_unreadable(reader, manifest)
    expected = (
        set() if fault == "first" else {f"video-{(number - 1) // 15}"}
    )  # no window begins before the second picture
    assert unreadable <= lost == expected
    found = find_problems(manifest, {"rgb": reader})
    assert len(found) == (fault not in ("cut", "size"))


def test_broken_flow_costs_the_clips_that_show_it(tmp_path):
    for half in "uv":
        fill(tmp_path / "video" / half, range(1, 241))
        for path in (tmp_path / "video" / half).iterdir():
            path.write_bytes(simplejpeg.encode_jpeg(np.zeros((16, 24, 1), np.uint8), 90, "GRAY", "Gray"))
    (tmp_path / "video/v/frame_0000000100.jpg").unlink()
    (tmp_path / "video/u/frame_0000000240.jpg").unlink()
    lost, unreadable = lost_and_unreadable(FlowReader(tmp_path, SPAN, None), clips_of("video", 8), thorough=False)
    assert unreadable <= lost == {"video-6", "video-15"}


def test_what_is_broken_where_no_clip_is_costs_none(tmp_path):
    (fill(tmp_path / "video", range(1, 241)) / "frame_0000000100.jpg").unlink()
    reader, manifest = FrameReader(tmp_path, SPAN, None, rate=30.0), clips_of("video", 8).without({"video-6"})
    (problem,) = find_problems(manifest, {"rgb": reader})
    assert problem.uids == () and "(rgb; no clip)" in describe_problems([problem])
    assert screen(manifest, {"rgb": reader}, False, lambda done, total: None) == (manifest, ())


def test_a_stray_number_takes_no_memory(tmp_path):
    folder = fill(tmp_path / "video", range(1, 241))
    (folder / "frame_9999999999.jpg").write_bytes(picture(1))
    reader = FrameReader(tmp_path, SPAN, None, rate=30.0)
    with pytest.raises(PartlyBrokenError, match=r"frame_0000000241\.jpg to frame_9999999998\.jpg missing") as caught:
        reader.examine("video")
    assert caught.value.places[0][0] == 8.0
    assert lost_and_unreadable(reader, clips_of("video", 8), thorough=False) == (set(), set())
    (folder / f"frame_{'9' * 30}.jpg").write_bytes(picture(1))
    with pytest.raises(DataError, match=r"a number that makes no sense[\s\S]*at most 18 digits"):
        reader.examine("video")


@pytest.mark.parametrize("size", [(65500, 65500), (20000, 20000)])
def test_a_picture_that_claims_to_be_huge_is_refused(tmp_path, size):
    folder = fill(tmp_path / "video", range(1, 241))
    content = bytearray(picture(1))
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = size[0].to_bytes(2, "big") + size[1].to_bytes(2, "big")
    (folder / "frame_0000000001.jpg").write_bytes(content)
    reader = FrameReader(tmp_path, SPAN, None, rate=30.0)
    with pytest.raises(
        DataError, match=rf"0001\.jpg in .* cannot be decoded[\s\S]*{size[0]} x {size[1]}[\s\S]*at most 67108864 pixels"
    ):
        reader("video", [Window(0.0, 0.4)])
    with pytest.raises(PartlyBrokenError, match=rf"{size[0]} x {size[1]}"):
        reader.examine("video")


@dataclass(frozen=True)
class Deadly:
    """A reader of which some media end the process that examines them."""

    how: int = signal.SIGSEGV

    def __call__(self, name, windows):
        return torch.zeros(len(windows), 1)

    def examine(self, name: str, thorough: bool = False) -> float:
        if name == "end":
            os.kill(os.getpid(), signal.SIGTERM)
        if name == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if name == "exit":
            os._exit(3)
        if name == "broken":
            raise DataError("broken is broken.", got="x", expected="y", remedy="z")
        if name == "bug":
            raise IndexError("a fault of ours")
        return 1.0


@dataclass(frozen=True)
class Here(Deadly):
    """The same in this process."""

    EXAMINED_HERE: ClassVar[bool] = True


def test_a_file_that_ends_its_process_is_named_and_the_others_are_examined():
    names = ["a", "end", "b", "kill", "broken", "exit", *(f"m{k}" for k in range(20)), "end"]
    clips = tuple(Clip(f"c{k}", name, 0.0, 1.0, "cut", "home", "train") for k, name in enumerate(names))
    told = []
    problems = find_problems(
        Manifest(clips, ("cut",)), {"rgb": Deadly()}, progress=lambda done, total: told.append((done, total))
    )
    assert [(p.media, p.uids) for p in problems] == [
        ("end", ("c1", "c26")),
        ("kill", ("c3",)),
        ("broken", ("c4",)),
        ("exit", ("c5",)),
    ]
    assert [p.error.got for p in problems] == ["signal 15 (SIGTERM)", "signal 9 (SIGKILL)", "x", "exit status 3"]
    assert "end brings down the program that reads it." in describe_problems(problems)
    assert told == [(k, 26) for k in range(1, 27)]


@pytest.mark.parametrize("reader", [Deadly(), Here()])
def test_an_error_that_nobody_has_foreseen_is_told_of_its_medium_and_the_others_are_examined(reader):
    names = ["a", "bug", "b", "broken", "bug", "c"]
    clips = tuple(Clip(f"c{k}", name, 0.0, 1.0, "cut", "home", "train") for k, name in enumerate(names))
    bug, broken = find_problems(Manifest(clips, ("cut",)), {"rgb": reader})
    assert (bug.media, bug.uids, broken.media, broken.uids) == ("bug", ("c1", "c4"), "broken", ("c3",))
    told = r"  IndexError: a fault of ours \(examine in test_check\.py, line \d+\) \(expected .*\)\. Get it .*report this.*\n"
    assert re.match(
        told + r"    bug \(rgb; clips c1, c4\): bug cannot be examined\.\n", describe_problems([bug, broken])
    )


@pytest.mark.slow
def test_the_check_says_what_it_looked_at(tmp_path, capsys):
    header = "uid,media,start,stop,label,domain,split\n"
    (tmp_path / "manifest.csv").write_text(
        header + "a,it.mp4,0,1,cut,home,train\nb,it.mp4,1,2,cut,home,test\nc,it.mp4,6,7,cut,home,test\n"
    )
    with av.open(tmp_path / "it.mp4", "w") as container:
        picture, sound = media.add_video(container, Fraction(1, 30)), media.add_sound(container, 48000)
        media.mux_sound(container, sound, media.chirp(8, 48000), 48000)
        for number in range(240):
            container.mux(picture.encode(media.as_frame(media.bar_code(number), number, Fraction(1, 30))))
        container.mux(picture.encode(None) + sound.encode(None))
    assert main(["data", "check", f"folder:{tmp_path}"]) is None
    text = capsys.readouterr().out
    assert "rgb: looked at: every packet, and the first picture decoded\naudio: looked at: every packet" in text
    assert (
        text.endswith("All media of 3 clips are there (rgb, audio). To decode all of them: --thorough\n")
        and "whole" not in text
    )
    main(["data", "check", f"folder:{tmp_path}", "--thorough"])
    text = capsys.readouterr().out
    assert "rgb: looked at: every picture decoded\naudio: looked at: all sound decoded\n" in text
    assert text.endswith("All media of 3 clips are there and whole (rgb, audio).\n")
    media.spoil(tmp_path / "it.mp4", 4.0)
    main(["data", "check", f"folder:{tmp_path}", "--thorough"])
    text = capsys.readouterr().out
    assert "Broken where no clip is:" in text and "it.mp4 (rgb; no clip)" in text and "whole" not in text
    media.spoil(tmp_path / "it.mp4", 6.5)
    with pytest.raises(SystemExit, match=r"it\.mp4 \(rgb; clip c\): .* cannot be decoded"):
        main(["data", "check", f"folder:{tmp_path}", "--thorough"])


def test_a_reach_holds_every_window():
    for start, stop in ((0.0, 0.2), (0.0, 3.0), (5.0, 5.1), (7.3, 9.9)):
        first, last = shown_between(start, stop, SPAN)
        for number in (1, 2, 5):
            assert all(first <= w.start and w.stop <= last for w in even_windows(start, stop, SPAN, number))


def test_readers_of_ones_own_need_not_say_what_they_look_at():
    clip = Clip("c", "a", 0.0, 1.0, "cut", "home", "train")
    assert looked_at({"it": Deadly()}, Manifest((clip,), ("cut",)), False) == {"it": ("what its reader looks at",)}
