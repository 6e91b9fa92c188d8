"""Frames from folders and tar files of JPEG pictures; each picture is a grey whose level tells its number."""

import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
import torch

from egonorm.core import DataError, PartlyBrokenError
from egonorm.data.readers.image_sequence import FrameReader, holds_pictures, open_pictures
from egonorm.data.windows import Span, Window

SPAN = Span(num_frames=4, stride=2, fps=60.0)
SIZE = (32, 56)


def picture(tick: int, size: tuple[int, int] = SIZE) -> bytes:
    return simplejpeg.encode_jpeg(np.full((*size, 3), 4 * tick + 2, dtype=np.uint8), quality=95, colorsubsampling="444")


def fill(folder: Path, ticks: range, first: int = 1, prefix: str = "frame_", size: tuple[int, int] = SIZE) -> Path:
    folder.mkdir(parents=True)
    for tick in ticks:
        (folder / f"{prefix}{tick + first:010d}.jpg").write_bytes(picture(tick, size))
    return folder


def pack(folder: Path, inside: str = "./") -> Path:
    path = folder.with_suffix(".tar")
    with tarfile.open(path, "w") as tar:
        for file in sorted(folder.iterdir()):
            tar.add(file, f"{inside}{file.name}")
    return path


def ticks_of(shown: torch.Tensor) -> list[int]:
    return [round((float(frame.float().mean()) - 2) / 4) for frame in shown]


@pytest.fixture
def reader(tmp_path: Path) -> FrameReader:
    return FrameReader(tmp_path, SPAN, None)


@pytest.mark.parametrize(("first", "prefix"), [(1, "frame_"), (0, "frame_"), (0, "img_"), (1, "img_")])
@pytest.mark.parametrize("inside", [None, "", "./", "P01_01/", "./deep/er/"])
def test_shows_the_tick_whatever_the_first_number_and_the_packing(tmp_path, reader, first, prefix, inside):
    folder = fill(tmp_path / "video", range(20), first, prefix)
    media = "video" if inside is None else pack(folder, inside).name
    shown = reader(media, [Window(5 / 60, 13 / 60)])[0]
    assert shown.shape == (4, *SIZE, 3)
    assert shown.dtype == torch.uint8
    assert ticks_of(shown) == [5, 7, 9, 11]
    assert reader.examine(media) == reader.examine(media, thorough=True) == 20 / 60


@pytest.mark.parametrize("packed", [False, True])
def test_holds_the_first_and_the_last_picture(tmp_path, reader, packed):
    folder = fill(tmp_path / "video", range(10))
    media = pack(folder).name if packed else "video"
    assert ticks_of(reader(media, [Window(-3 / 60, 0.0)])[0]) == [0, 0, 1, 3]
    assert ticks_of(reader(media, [Window(6 / 60, 1.0)])[0]) == [6, 8, 9, 9]
    assert ticks_of(reader(media, [Window(1e4, 2e4)])[0]) == [9, 9, 9, 9]


@pytest.mark.parametrize("packed", [False, True])
def test_a_missing_picture_in_the_middle_is_an_error_only_where_it_is_shown(tmp_path, reader, packed):
    folder = fill(tmp_path / "video", range(20))
    for number in (8, 10, 11, 12, 13):
        (folder / f"frame_{number:010d}.jpg").unlink()
    media = pack(folder).name if packed else "video"
    assert ticks_of(reader(media, [Window(0.0, 1.0)])[0]) == [0, 2, 4, 6]
    with pytest.raises(DataError, match=r"cannot be read[\s\S]*frame_0000000008\.jpg missing[\s\S]*Extract or copy"):
        reader(media, [Window(1 / 60, 1.0)])[0]
    with pytest.raises(
        PartlyBrokenError, match=r"lacks pictures[\s\S]*0008\.jpg missing, and 1 more such place"
    ) as caught:
        reader.examine(media)
    assert caught.value.places == ((7 / 60, 8 / 60), (9 / 60, 13 / 60)) and caught.value.seconds == 20 / 60


def test_pictures_missing_at_the_beginning_are_holes(tmp_path, reader):
    fill(tmp_path / "video", range(5, 20))
    with pytest.raises(DataError, match=r"frame_0000000001\.jpg"):
        reader("video", [Window(0.0, 1.0)])[0]
    with pytest.raises(DataError, match=r"expected: every number from 1 to 20"):
        reader.examine("video")


def test_a_picture_deleted_after_indexing_is_named(tmp_path, reader):
    folder = fill(tmp_path / "video", range(20))
    opened = open_pictures(folder)
    (folder / "frame_0000000003.jpg").unlink()
    with pytest.raises(DataError, match=r"frame_0000000003\.jpg"):
        list(opened.decode([3], "RGB"))


@pytest.mark.parametrize("packed", [False, True])
def test_a_truncated_picture_is_named(tmp_path, reader, packed):
    folder = fill(tmp_path / "video", range(20))
    (folder / "frame_0000000008.jpg").write_bytes(picture(7)[:-40])
    media = pack(folder).name if packed else "video"
    with pytest.raises(DataError, match=rf"frame_0000000008\.jpg in .*{media} cannot be decoded[\s\S]*a whole JPEG"):
        reader(media, [Window(7 / 60, 1.0)])[0]
    assert reader.examine(media) == 20 / 60
    with pytest.raises(DataError, match=r"frame_0000000008\.jpg"):
        reader.examine(media, thorough=True)


def test_an_empty_picture_is_named(tmp_path, reader):
    folder = fill(tmp_path / "video", range(3))
    (folder / "frame_0000000001.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"frame_0000000001\.jpg in .* cannot be decoded\.\n  got:      0 bytes"):
        reader.examine("video")


def test_a_tar_is_indexed_once(tmp_path, reader, monkeypatch):
    path = pack(fill(tmp_path / "video", range(20)))
    opened = []
    really_open = tarfile.open
    monkeypatch.setattr(tarfile, "open", lambda *args: opened.append(args) or really_open(*args))
    for start in range(10):
        reader("video.tar", [Window(start / 60, 1.0)])[0]
    assert len(opened) == 1
    path.unlink()
    pack(fill(tmp_path / "other", range(10, 12))).rename(path)
    with pytest.raises(DataError, match="lacks pictures"):
        reader.examine("video.tar")
    assert len(opened) == 2 + 1  # pack opens one


def test_of_two_members_with_one_name_the_last_counts(tmp_path, reader):
    path = pack(fill(tmp_path / "video", range(9)))
    with tarfile.open(path, "a") as tar:
        member = tarfile.TarInfo("./frame_0000000001.jpg")
        member.size = len(picture(50))
        tar.addfile(member, io.BytesIO(picture(50)))
    assert ticks_of(reader("video.tar", [Window(0.0, 1.0)])[0]) == [50, 2, 4, 6]


def test_a_truncated_tar_is_an_error(tmp_path, reader):
    path = pack(fill(tmp_path / "video", range(20)))
    with tarfile.open(path) as tar:
        member = tar.getmember("./frame_0000000012.jpg")
    path.write_bytes(path.read_bytes()[: member.offset_data + 100])
    with pytest.raises(DataError, match=r"video\.tar cannot be read as a tar file[\s\S]*Download it again"):
        reader("video.tar", [Window(0.0, 1.0)])[0]


def test_a_compressed_tar_is_an_error(tmp_path, reader):
    folder = fill(tmp_path / "video", range(2))
    with tarfile.open(tmp_path / "video.tar", "w:gz") as tar:
        tar.add(folder)
    with pytest.raises(DataError, match=r"a whole tar file, not compressed[\s\S]*unpack it if it is compressed"):
        reader("video.tar", [Window(0.0, 1.0)])[0]


def test_a_reader_travels_to_another_process(tmp_path, reader):
    pack(fill(tmp_path / "video", range(20)))
    shown = reader("video.tar", [Window(0.0, 1.0)])[0]
    assert torch.equal(pickle.loads(pickle.dumps(reader))("video.tar", [Window(0.0, 1.0)])[0], shown)


def test_missing_and_empty_media(tmp_path, reader):
    with pytest.raises(DataError, match=r"nowhere does not exist[\s\S]*a folder or tar of pictures"):
        reader("nowhere", [Window(0.0, 1.0)])[0]
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("nothing")
    with pytest.raises(DataError, match=r"empty holds no pictures[\s\S]*img_0000000001\.jpg"):
        reader.examine("empty")
    assert not holds_pictures(tmp_path / "empty")
    assert not holds_pictures(tmp_path / "nowhere")
    assert holds_pictures(fill(tmp_path / "video", range(1)))


def test_flow_beside_the_pictures_is_not_looked_at(tmp_path, reader):
    folder = fill(tmp_path / "video", range(20), 0, "img_")
    for axis in "xy":
        (folder / f"{axis}_0000000000.jpg").write_bytes(picture(40))
    assert ticks_of(reader("video", [Window(0.0, 1.0)])[0]) == [0, 2, 4, 6]


def test_two_series_are_an_error(tmp_path, reader):
    folder = fill(tmp_path / "video", range(2))
    (folder / "img_0000000000.jpg").write_bytes(picture(0))
    with pytest.raises(DataError, match=r"more than one series[\s\S]*(frame_\*\.jpg, img_|img_\*\.jpg, frame_)"):
        reader("video", [Window(0.0, 1.0)])[0]
    flow = fill(tmp_path / "flow", range(2))
    with tarfile.open(tmp_path / "flow.tar", "w") as tar:
        tar.add(flow, "u")
        tar.add(flow, "v")
    with pytest.raises(DataError, match=r"u/frame_\*\.jpg, v/frame_\*\.jpg"):
        reader("flow.tar", [Window(0.0, 1.0)])[0]


def test_numbers_without_leading_zeros(tmp_path, reader):
    (tmp_path / "video").mkdir()
    for tick in range(12):
        (tmp_path / "video" / f"frame_{tick}.JPG").write_bytes(picture(tick))
    assert ticks_of(reader("video", [Window(5 / 60, 1.0)])[0]) == [5, 7, 9, 11]


@pytest.mark.parametrize(
    ("size", "short_side", "expected"),
    [
        ((108, 192), 26, (26, 46)),
        ((192, 108), 26, (46, 26)),
        ((26, 46), 26, (26, 46)),
        ((26, 45), 26, (26, 45)),
        ((64, 64), 16, (16, 16)),
        ((16, 20), 32, (32, 40)),
        ((108, 192), None, (108, 192)),
    ],
)
def test_the_shorter_side_gets_the_wanted_length(tmp_path, size, short_side, expected):
    fill(tmp_path / "video", range(9), size=size)
    shown = FrameReader(tmp_path, SPAN, short_side)("video", [Window(0.0, 1.0)])[0]
    assert shown.shape == (4, *expected, 3)
    assert shown.is_contiguous()
    assert ticks_of(shown) == [0, 2, 4, 6]


def test_pictures_of_two_sizes_are_an_error(tmp_path, reader):
    folder = fill(tmp_path / "video", range(9))
    (folder / "frame_0000000003.jpg").write_bytes(picture(2, (16, 16)))
    with pytest.raises(DataError, match=r"frame_0000000003\.jpg .* has another size[\s\S]*\(16, 16\)[\s\S]*\(32, 56\)"):
        reader("video", [Window(0.0, 1.0)])[0]


def test_channels_are_red_green_blue(tmp_path, reader):
    folder = tmp_path / "video"
    folder.mkdir()
    red = np.zeros((16, 16, 3), dtype=np.uint8)
    red[..., 0] = 250
    (folder / "frame_0000000001.jpg").write_bytes(simplejpeg.encode_jpeg(red, quality=100, colorsubsampling="444"))
    (folder / "frame_0000000002.jpg").write_bytes(simplejpeg.encode_jpeg(red[..., :1].copy(), 100, "GRAY", "Gray"))
    shown = reader("video", [Window(0.0, 1.0)])[0]
    assert shown[0, 0, 0].tolist() == pytest.approx([250, 0, 0], abs=3)
    assert shown[-1, 0, 0].tolist() == pytest.approx([250, 250, 250], abs=3)


def test_the_clock_of_the_span_may_differ_from_that_of_the_pictures(tmp_path):
    fill(tmp_path / "video", range(30))
    assert ticks_of(FrameReader(tmp_path, Span(4, 1, 15.0), None)("video", [Window(4 / 60, 1.0)])[0]) == [6, 10, 14, 18]
    assert FrameReader(tmp_path, SPAN, None, rate=30.0).examine("video") == 1


def test_a_look_at_a_change_of_picture_shows_the_new_one_whatever_rounding_says(tmp_path):
    fill(tmp_path / "video", range(60))
    reader = FrameReader(tmp_path, Span(4, 1, 30.0), None)
    windows = [Window(tick / 30, (tick + 4) / 30) for tick in range(26)]
    expected = [2 * (tick + k) + 1 for tick in range(26) for k in range(4)]
    assert ticks_of(reader("video", windows).flatten(0, 1)) == expected
