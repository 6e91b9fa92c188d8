"""Pairs of grey pictures from folders and tar files; the level of u tells the pair's number, v is its negative."""

import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
import torch

from egonorm.core import DataError
from egonorm.data.readers.flow import FlowReader, holds_flow
from egonorm.data.windows import Span, Window

SPAN = Span(num_frames=4, stride=2, fps=60.0)
SIZE = (32, 56)


def grey(level: int, size: tuple[int, int] = SIZE) -> bytes:
    return simplejpeg.encode_jpeg(np.full((*size, 1), level, dtype=np.uint8), 95, "GRAY", "Gray")


def fill(folder: Path, ticks: range, first: int = 1) -> Path:
    """As EPIC-Kitchens: folders u and v."""
    for half in "uv":
        (folder / half).mkdir(parents=True)
        for tick in ticks:
            level = 4 * tick + 2 if half == "u" else 255 - (4 * tick + 2)
            (folder / half / f"frame_{tick + first:010d}.jpg").write_bytes(grey(level))
    return folder


def flatten(folder: Path) -> Path:
    """As Temporal Binding Network: x_ and y_ beside the pictures, counted from 0."""
    for half, axis in (("u", "x"), ("v", "y")):
        for file in sorted((folder / half).iterdir()):
            number = int(file.stem.removeprefix("frame_"))
            file.rename(folder / f"{axis}_{number - 1:010d}.jpg")
        (folder / half).rmdir()
    (folder / "img_0000000000.jpg").write_bytes(grey(77))
    return folder


def pack(folder: Path, inside: str = "./") -> Path:
    path = folder.with_suffix(".tar")
    with tarfile.open(path, "w") as tar:
        for file in sorted(folder.rglob("*.jpg")):
            tar.add(file, inside + str(file.relative_to(folder)))
    return path


def ticks_of(shown: torch.Tensor) -> list[int]:
    """The pairs that are shown, each of which must be one."""
    u, v = (shown[..., half].float().mean(dim=(1, 2)) for half in (0, 1))
    assert (u + v - 255).abs().max() < 2
    return [round((float(level) - 2) / 4) for level in u]


@pytest.fixture
def reader(tmp_path: Path) -> FlowReader:
    return FlowReader(tmp_path, SPAN, None)


@pytest.mark.parametrize("layout", ["folders", "from zero", "flat", "", "./", "P01_01/", "./deep/er/", "flat tar"])
def test_shows_u_and_v_of_the_pair_in_whose_middle_the_time_lies(tmp_path, reader, layout):
    folder = fill(tmp_path / "video", range(20), first=0 if layout == "from zero" else 1)
    if "flat" in layout:
        flatten(folder)
    media = (
        "video" if layout in ("folders", "from zero", "flat") else pack(folder, layout.removeprefix("flat tar")).name
    )
    shown = reader(media, [Window(10 / 60, 18 / 60)])[0]
    assert shown.shape == (4, *SIZE, 2) and shown.dtype == torch.uint8
    assert ticks_of(shown) == [4, 5, 6, 7]  # EPIC's pictures 11, 13, 15, 17; pairs 5, 6, 7, 8 when counted from 1
    assert ticks_of(reader(media, [Window(11 / 60, 19 / 60)])[0]) == [5, 6, 7, 8]  # pictures 12 to 18
    assert reader.examine(media) == reader.examine(media, thorough=True) == 20 / 30


def test_holds_the_first_and_the_last_pair(tmp_path, reader):
    fill(tmp_path / "video", range(10))
    assert ticks_of(reader("video", [Window(0.0, 1.0)])[0]) == [0, 0, 1, 2]
    assert ticks_of(reader("video", [Window(-1.0, 0.0)])[0]) == [0, 0, 0, 0]
    assert ticks_of(reader("video", [Window(1e4, 2e4)])[0]) == [9, 9, 9, 9]


def test_another_rate(tmp_path):
    fill(tmp_path / "video", range(10))
    reader = FlowReader(tmp_path, Span(4, 4, 30.0), None, rate=15.0)
    assert ticks_of(reader("video", [Window(3 / 30, 1.0)])[0]) == [1, 3, 5, 7]
    assert reader.examine("video") == 10 / 15


def test_pictures_get_the_wanted_size_and_keep_their_values(tmp_path):
    fill(tmp_path / "video", range(10))
    shown = FlowReader(tmp_path, SPAN, 16)("video", [Window(5 / 60, 1.0)])[0]
    assert shown.shape == (4, 16, 28, 2) and shown.is_contiguous()
    assert ticks_of(shown) == [2, 3, 4, 5]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("half", "name"), [("u", r"u/frame_0+1\.jpg or x_0+1\.jpg"), ("v", r"v/frame_0+1\.jpg or y_0+1\.jpg")]
)
def test_a_missing_half_is_named(tmp_path, reader, packed, half, name):
    folder = fill(tmp_path / "video", range(9))
    for file in (folder / half).iterdir():
        file.unlink()
    (folder / half).rmdir()
    media = pack(folder).name if packed else "video"
    for ask in (lambda: reader(media, [Window(0.0, 1.0)])[0], lambda: reader.examine(media)):
        with pytest.raises(DataError, match=rf"{media} holds no pictures[\s\S]*{name}, and so on"):
            ask()
    assert packed or holds_flow(folder)


def test_a_hole_in_one_half_is_named(tmp_path, reader):
    folder = fill(tmp_path / "video", range(20))
    (folder / "v" / "frame_0000000007.jpg").unlink()
    with pytest.raises(DataError, match=r"video/v lacks pictures[\s\S]*frame_0000000007\.jpg missing[\s\S]*1 to 20"):
        reader.examine("video")
    with pytest.raises(DataError, match=r"A picture of .*video/v cannot be read[\s\S]*frame_0000000007\.jpg missing"):
        reader("video", [Window(10 / 60, 1.0)])[0]
    assert ticks_of(reader("video", [Window(15 / 60, 1.0)])[0]) == [7, 8, 9, 10]


def test_unequal_numbers_of_u_and_v_are_named(tmp_path, reader):
    folder = fill(tmp_path / "video", range(20))
    (folder / "u" / "frame_0000000020.jpg").unlink()
    media = pack(folder).name
    for path in ("video", media):
        with pytest.raises(
            DataError, match=r"halves of the flow[\s\S]*19 from number 1 on in u, 20 from number 1 on in v"
        ):
            reader.examine(path)
    (folder / "v" / "frame_0000000020.jpg").rename(folder / "v" / "frame_0000000000.jpg")
    with pytest.raises(DataError, match=r"19 from number 1 on in u, 20 from number 0 on in v[\s\S]*Extract or copy"):
        reader.examine("video")


def test_halves_of_two_sizes_are_an_error(tmp_path, reader):
    folder = fill(tmp_path / "video", range(9))
    for file in (folder / "v").iterdir():
        file.write_bytes(grey(9, (16, 28)))
    with pytest.raises(DataError, match=r"pictures of one size[\s\S]*Extract|\(32, 56\) in u, \(16, 28\) in v"):
        reader("video", [Window(0.0, 1.0)])[0]


def test_a_truncated_picture_is_named(tmp_path, reader):
    folder = fill(tmp_path / "video", range(20))
    (folder / "v" / "frame_0000000008.jpg").write_bytes(grey(7)[:-40])
    assert reader.examine("video") == 20 / 30
    with pytest.raises(DataError, match=r"frame_0000000008\.jpg in .*video/v cannot be decoded"):
        reader.examine("video", thorough=True)


def test_missing_and_empty_media(tmp_path, reader):
    with pytest.raises(DataError, match=r"nowhere does not exist"):
        reader("nowhere", [Window(0.0, 1.0)])[0]
    (tmp_path / "empty" / "u").mkdir(parents=True)
    with pytest.raises(DataError, match=r"empty/u holds no pictures"):
        reader.examine("empty")
    assert not holds_flow(tmp_path / "empty") and not holds_flow(tmp_path / "nowhere")
    (tmp_path / "rgb").mkdir()
    (tmp_path / "rgb" / "img_0000000000.jpg").write_bytes(grey(1))
    assert not holds_flow(tmp_path / "rgb")
    assert holds_flow(fill(tmp_path / "folders", range(1))) and holds_flow(flatten(fill(tmp_path / "flat", range(1))))


def test_a_tar_is_indexed_once_for_both_halves(tmp_path, reader, monkeypatch):
    media, opened, really_open = pack(fill(tmp_path / "video", range(20))).name, [], tarfile.open
    monkeypatch.setattr(tarfile, "open", lambda *args: opened.append(args) or really_open(*args))
    for start in range(10):
        reader(media, [Window(start / 60, 1.0)])[0]
    assert len(opened) == 1


def test_a_reader_travels_to_another_process(tmp_path, reader):
    fill(tmp_path / "video", range(20))
    shown = reader("video", [Window(0.0, 1.0)])[0]
    assert torch.equal(pickle.loads(pickle.dumps(reader))("video", [Window(0.0, 1.0)])[0], shown)
