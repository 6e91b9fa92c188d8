"""Video files: every window shows what a player shows, or an error says what is wrong with the file."""

import pickle
import random
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import media
import numpy as np
import pytest

from egonorm.core import DataError
from egonorm.data.readers.io.container import Track
from egonorm.data.readers.video import VideoReader, read_frames, scaled_size
from egonorm.data.windows import Span, Window

REAL = Path(__file__).resolve().parents[3].parent / "shared/data/media"
SPAN = Span(4, 3, 30.0)


def variable_ticks(num_frames: int) -> list[int]:
    """Frames of 33 ms, and pauses of up to 11 frames; the clock ticks 3000 times a second."""
    steps = random.Random(5).choices([100, 200, 300, 1100], k=num_frames - 1)
    return [sum(steps[:k]) for k in range(num_frames)]


INTRA = {"x264-params": "intra-refresh=1:keyint=20"}
OPEN = {"x264-params": "open-gop=1:keyint=20:min-keyint=20:bframes=3:b-adapt=0"}
FILES = {
    "constant.mp4": {"ticks": range(150), "gop": 60, "num_b_frames": 3},
    "variable.mp4": {"ticks": variable_ticks(100), "time_base": Fraction(1, 3000), "gop": 30},
    "variable.mkv": {"ticks": variable_ticks(100), "time_base": Fraction(1, 3000), "gop": 30},
    "late.mp4": {"ticks": range(90, 240)},
    "stream.ts": {"ticks": range(150), "gop": 20},
    "rotated.mp4": {"ticks": range(150), "rotation": 90},
    "open_gop.mp4": {"ticks": range(150), "gop": 20, "num_b_frames": 3, "options": OPEN},
    "intra_refresh.mp4": {"ticks": range(150), "num_b_frames": 0, "options": INTRA},
    "hevc.mp4": {"ticks": range(150), "codec": "libx265", "gop": 60, "options": {"x265-params": "log-level=none"}},
    "old.avi": {"ticks": range(150), "codec": "mpeg4", "options": {"b": "6000000"}},
    "program.mpg": {"ticks": range(100), "codec": "mpeg2video", "options": {"b": "6000000"}},
}


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """From a name among FILES to the video, which is written when it is asked for first."""
    folder = tmp_path_factory.mktemp("media")
    return cache(lambda name: media.write_video(folder / name, **FILES[name]))


def full_decode(path: Path) -> list[tuple[Fraction, int]]:
    """When every frame is shown, and its number, sorted: the plain way, without this package."""
    with av.open(path) as container:
        zero = Fraction(container.start_time, av.time_base)
        return sorted(
            (frame.pts * frame.time_base - zero, media.read_bar_code(frame.to_ndarray(format="rgb24")))
            for frame in container.decode(video=0)
        )


def shown(frames: list[tuple[Fraction, int]], time: float) -> int:
    """The number of the frame that is shown at a time."""
    earlier = [number for when, number in frames if when <= time + 2e-6]
    return earlier[-1] if earlier else frames[0][1]


def numbers(path: Path, times, turns: int = 0) -> list[int]:
    """The numbers of the frames that `read_frames` gives, turned back by quarters."""
    return [media.read_bar_code(np.rot90(picture.numpy(), turns)) for picture in read_frames(path, times)]


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_windows_show_what_a_full_decode_shows(video, name):
    frames = full_decode(video(name))
    assert [number for _, number in frames] == list(range(len(FILES[name]["ticks"])))
    draw = random.Random(name)
    for _ in range(40):
        times = SPAN.times(draw.uniform(-0.3, float(frames[-1][0]) + 0.3))
        expected = [shown(frames, time) for time in times]
        assert numbers(video(name), times, -1 if "rotation" in FILES[name] else 0) == expected, times


@pytest.mark.parametrize("name", ["constant.mp4"])
def test_frames_that_nobody_needs_are_not_decoded(video, name, monkeypatch):
    decode, decoded = Track.decode, []
    monkeypatch.setattr(Track, "decode", lambda track, packet: decoded.extend(found := decode(track, packet)) or found)
    assert numbers(video(name), (3.85, 3.89)) == [115, 116]
    few = len(decoded)
    monkeypatch.setattr("egonorm.data.readers.io.video_decode.skip_unneeded", lambda track, packets, ticks: packets)
    assert numbers(video(name), (3.85, 3.89)) == [115, 116]
    assert few < 0.75 * (len(decoded) - few)


def test_a_reader_asks_at_the_times_of_its_span_and_examines(video):
    reader = pickle.loads(pickle.dumps(VideoReader(video("late.mp4").parent, SPAN, 60)))
    window = reader("late.mp4", [Window(2.0, 2.4)])[0]
    assert window.shape == (4, 60, 80, 3)
    assert window.is_contiguous()
    assert [media.read_bar_code(picture.numpy()) for picture in window] == [60, 63, 66, 69]
    assert reader.examine("late.mp4") == pytest.approx(5.0)
    assert reader.examine("late.mp4", thorough=True) == pytest.approx(5.0)


def test_times_outside_show_the_first_and_the_last_frame_and_repeats_are_repeated(video):
    assert numbers(video("late.mp4"), (-5.0, 0.0, 1.01, 1.01, 4.99, 100.0)) == [0, 0, 30, 30, 149, 149]
    assert numbers(video("late.mp4"), (50.0, 60.0)) == [149, 149]
    assert numbers(video("late.mp4"), (4.01, 2.01, 3.01)) == [120, 60, 90]


def test_exactly_on_a_boundary_the_new_frame_is_shown(video):
    assert numbers(video("constant.mp4"), [k / 30 for k in range(0, 150, 7)]) == list(range(0, 150, 7))


def test_an_edit_list_moves_zero(tmp_path):
    path = media.write_video(tmp_path / "cut.mp4", range(90))
    media.shift_edit(path, 20)
    assert numbers(path, (0.01, 1.01, 2.01)) == [20, 50, 80]
    assert numbers(path, (1.51,)) == [65]


def test_a_picture_that_begins_after_the_sound_shows_its_first_frame_until_then(tmp_path):
    with av.open(tmp_path / "late.mkv", "w") as container:
        picture, sound = media.add_video(container, Fraction(1, 30)), media.add_sound(container, 48000)
        media.mux_sound(container, sound, media.chirp(3, 48000), 48000)
        for number in range(60):
            container.mux(picture.encode(media.as_frame(media.bar_code(number), 30 + number, Fraction(1, 30))))
        container.mux(picture.encode(None) + sound.encode(None))
    assert numbers(tmp_path / "late.mkv", (0.0, 0.9, 1.02, 2.02)) == [0, 0, 0, 30]


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_rotated_pictures_come_out_upright(tmp_path, rotation, turns):
    """PyAV writes a counterclockwise rotation, `av_display_rotation_get`'s sense, and `np.rot90` turns that way."""
    path = media.write_video(tmp_path / "turned.mp4", [0], rotation=rotation)
    picture = media.bar_code(0)
    picture[:60, :80] = 255
    media.write_video(path, [0], rotation=rotation, pictures=[picture])
    seen = read_frames(path, (0.0,))[0].numpy()
    assert np.abs(seen.astype(int) - np.rot90(picture, turns)).mean() < 4


def test_mirrored_pictures_come_out_upright(tmp_path):
    with av.open(tmp_path / "mirror.mp4", "w") as container:
        stream = media.add_video(container, Fraction(1, 30))
        stream.set_display_rotation(0, hflip=True)
        container.mux(stream.encode(media.as_frame(media.bar_code(5), 0, Fraction(1, 30))) + stream.encode(None))
    assert media.read_bar_code(read_frames(tmp_path / "mirror.mp4", (0.0,))[0].numpy()[:, ::-1]) == 5


@pytest.mark.parametrize(("matrix", "tag"), [("ITU709", 1), ("ITU601", 6), ("ITU601", 2)])
def test_colours_follow_the_tag_and_without_one_bt601(tmp_path, matrix, tag):
    orange = np.full((120, 160, 3), (230, 120, 30), dtype=np.uint8)
    with av.open(tmp_path / "colour.mp4", "w") as container:
        stream = media.add_video(container, Fraction(1, 30))
        stream.codec_context.colorspace = tag
        frame = av.VideoFrame.from_ndarray(orange).reformat(format="yuv420p", dst_colorspace=matrix)
        frame.pts, frame.time_base = 0, Fraction(1, 30)
        container.mux(stream.encode(frame) + stream.encode(None))
    assert np.abs(read_frames(tmp_path / "colour.mp4", (0.0,))[0].numpy().astype(int) - orange).max() <= 6


@pytest.mark.parametrize(
    ("size", "short", "expected"),
    [
        ((1920, 1080), 256, (456, 256)),
        ((1080, 1920), 256, (256, 456)),
        ((341, 256), 256, (342, 256)),
        ((160, 120), None, (160, 120)),
        ((100, 100), 64, (64, 64)),
        ((456, 256), 256, (456, 256)),
    ],
)
def test_sizes_are_those_of_scale_minus_2(size, short, expected):
    assert scaled_size(*size, short) == expected


@pytest.mark.parametrize(
    ("make", "got"),
    [
        (lambda path: None, "no such file"),
        (Path.mkdir, "a folder"),
        (Path.touch, "an empty file"),
        (lambda path: path.write_text("not a video\n" * 99), "Invalid data found when processing input"),
    ],
)
def test_what_is_no_video_is_named(tmp_path, make, got):
    make(tmp_path / "it.mp4")
    for ask in (lambda reader: reader("it.mp4", [Window(0.0, 1.0)])[0], lambda reader: reader.examine("it.mp4")):
        with pytest.raises(DataError, match=r"it\.mp4") as caught:
            ask(VideoReader(tmp_path, SPAN))
        assert caught.value.got == got
        assert caught.value.expected == "a media file"


def test_sound_is_no_video(tmp_path):
    media.write_sound(tmp_path / "sound.mp4", media.chirp(1, 48000), 48000)
    with pytest.raises(DataError, match=r"sound\.mp4 is sound without a picture"):
        VideoReader(tmp_path, SPAN).examine("sound.mp4")


@pytest.mark.parametrize("name", ["part.mp4", "part.mkv"])
def test_a_truncated_file_says_both_lengths(tmp_path, name):
    media.cut_off(media.write_video(tmp_path / name, range(150)), 0.6)
    for thorough in (False, True):
        with pytest.raises(DataError, match="is truncated") as caught:
            VideoReader(tmp_path, SPAN).examine(name, thorough)
        assert 1 < float(caught.value.got.removeprefix("video up to ").removesuffix(" s")) < 4
        assert caught.value.expected == "5.00 s, as its header promises"


def test_a_corrupt_place_is_named_and_the_rest_can_be_read(tmp_path, capfd):
    path = media.write_video(tmp_path / "bad.mp4", range(150))
    media.spoil(path, 2.4)
    reader = VideoReader(tmp_path, SPAN)
    assert reader.examine("bad.mp4") == pytest.approx(5.0)
    for ask in (lambda: reader.examine("bad.mp4", True), lambda: reader("bad.mp4", [Window(2.3, 2.7)])[0]):
        with pytest.raises(DataError, match=r"bad\.mp4 cannot be decoded at 2\.400 s"):
            ask()
    assert numbers(path, SPAN.times(3.5)) == [105, 108, 111, 114]
    assert capfd.readouterr() == ("", "")


def real(name: str) -> Path:
    if not (REAL / name).exists():
        pytest.skip(f"{REAL / name} is not on this machine")
    return REAL / name


def test_real_corrupted_file():
    reader = VideoReader(real("corrupted.mp4").parent, SPAN)
    assert reader.examine("corrupted.mp4") == pytest.approx(5.0)
    with pytest.raises(DataError, match=r"corrupted\.mp4 cannot be decoded at 3\.000 s"):
        reader.examine("corrupted.mp4", thorough=True)


@pytest.mark.parametrize(
    ("name", "shape", "seconds"),
    [
        ("flipping_a_pancake.mkv", (4, 240, 426, 3), 10.333),
        ("nasa_13013.mp4", (4, 270, 480, 3), 13.013),
        ("arm_wrestling.mp4", (4, 256, 340, 3), 10.0),
        ("rotated_90.mov", (4, 568, 320, 3), 0.1),
        ("unordered_pts.mov", (4, 50, 50, 3), 0.125),
    ],
)
def test_real_files(name, shape, seconds):
    reader = VideoReader(real(name).parent, SPAN)
    assert reader(name, [Window(2.0, 2.4)])[0].shape == shape
    assert reader.examine(name, thorough=True) == pytest.approx(seconds, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["unordered_pts.mov", "flipping_a_pancake.mkv"])
def test_real_windows_show_what_a_full_decode_shows(name):
    with av.open(real(name)) as container:
        frames = sorted(
            ((frame.pts * frame.time_base, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)),
            key=lambda pair: pair[0],
        )
    times = np.linspace(0.0, float(frames[-1][0]) + 0.05, 24)
    for few in np.split(times, 6):
        expected = [[picture for when, picture in frames if when <= time + 2e-6][-1] for time in few]
        assert np.array_equal(read_frames(REAL / name, few.tolist()).numpy(), expected)
