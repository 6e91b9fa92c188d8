"""What large tar files hold is found out once a machine, and again whenever anything about the cache or the file is off."""

import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from egonorm.core import DataError
from egonorm.data.readers import image_sequence
from egonorm.data.readers.image_sequence import open_pictures
from egonorm.data.readers.io.cache import STAMP, kept, mapped


def write_tar(path: Path, number: int, level: int = 0) -> None:
    folder = path.parent / "pictures"
    folder.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for k in range(number):
            file = folder / f"frame_{k + 1:010d}.jpg"
            file.write_bytes(simplejpeg.encode_jpeg(np.full((16, 16, 3), level + 8 * k, dtype=np.uint8)))
            tar.add(file, f"./{file.name}")


@pytest.fixture
def scans(tmp_path, monkeypatch):
    """Keep the index of every tar file, in a cache of the test's own; tells how many were scanned."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(image_sequence, "LARGE", 0)
    scanned, really_open = [], tarfile.open
    monkeypatch.setattr(tarfile, "open", lambda *args: scanned.append(args) or really_open(*args))
    return scanned


def levels(path: Path) -> list[int]:
    """What a process that has opened nothing yet sees of a tar file."""
    image_sequence._index.cache_clear()
    image_sequence._tar_members.cache_clear()
    opened = open_pictures(path)
    assert not list(opened.faults("GRAY", thorough=True))
    return opened.at(range(len(opened.numbers)), "GRAY").mean(axis=(1, 2, 3)).round().astype(int).tolist()


def cached(tmp_path: Path) -> Path:
    (path,) = (tmp_path / "cache" / "egonorm" / "indices").iterdir()
    return path


def test_a_second_process_maps_what_the_first_has_found(tmp_path, scans):
    write_tar(tmp_path / "v.tar", 5)
    scans.clear()
    assert levels(tmp_path / "v.tar") == levels(tmp_path / "v.tar") == [0, 8, 16, 24, 32]
    assert len(scans) == 1
    opened = open_pictures(tmp_path / "v.tar")
    assert isinstance(opened.numbers, np.memmap) and isinstance(opened.places, np.memmap)
    assert (opened.name(3), opened.first) == ("frame_0000000003.jpg", 1)


def test_a_changed_file_is_scanned_again_and_takes_the_same_place(tmp_path, scans):
    path = tmp_path / "v.tar"
    write_tar(path, 5)
    assert levels(path) == [0, 8, 16, 24, 32]
    write_tar(path, 5, level=100)
    os.utime(path, ns=(1, 1))
    assert levels(path) == [100, 108, 116, 124, 132]
    write_tar(path, 2, level=50)
    assert levels(path) == [50, 58] and cached(tmp_path).stat().st_size < 1000


@pytest.mark.parametrize("content", [b"", b"nonsense", None, "short", "other"])
def test_a_damaged_cache_is_made_again(tmp_path, scans, content):
    path = tmp_path / "v.tar"
    write_tar(path, 5)
    levels(path)
    file = cached(tmp_path)
    whole = file.read_bytes()
    if content is None:
        file.unlink()
    elif content == "other":
        np.save(file, np.zeros(3))
    else:
        file.write_bytes(whole[:-8] if content == "short" else content)
    scans.clear()
    assert levels(path) == levels(path) == [0, 8, 16, 24, 32]
    assert len(scans) == 1 and cached(tmp_path).read_bytes() == whole


def test_any_changed_byte_of_a_cache_is_noticed_or_changes_nothing(tmp_path, scans):
    record, made = np.dtype([("stamp", STAMP), ("prefix", "<U4"), ("numbers", "<i8", (3,))]), []

    def make() -> np.ndarray:
        made.append(1)
        return np.array([((0, 0, 0), "abc", (1, 2, 3))], record)

    def found() -> tuple[np.dtype, bytes]:
        array = kept("a name", (3, 4), make)
        return array.dtype, array.tobytes()

    whole, file = found(), cached(tmp_path)
    content = file.read_bytes()
    assert found() == whole and len(made) == 1
    for place in range(len(content)):
        file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert found() == whole
    assert len(made) > len(content) - 5
    assert content.count(b"prefix") == 1
    for before, after in ((b"prefix", b"prefiy"), (b"stamp", b"stanp"), (np.int64(2).tobytes(), np.int64(3).tobytes())):
        file.write_bytes(content.replace(before, after))
        made.clear()
        assert found() == whole and made == [1] and file.read_bytes() == content


def test_without_a_place_to_keep_it_every_process_scans(tmp_path, scans):
    (tmp_path / "cache").write_text("no folder")
    write_tar(tmp_path / "v.tar", 5)
    scans.clear()
    assert levels(tmp_path / "v.tar") == levels(tmp_path / "v.tar") == [0, 8, 16, 24, 32]
    assert len(scans) == 2 and (tmp_path / "cache").read_text() == "no folder"


def test_what_cannot_be_used_is_told_every_time_and_not_kept(tmp_path, scans):
    write_tar(tmp_path / "v.tar", 5)
    data = (tmp_path / "v.tar").read_bytes()
    (tmp_path / "v.tar").write_bytes(data[:900])
    for _ in range(2):
        with pytest.raises(DataError, match=r"v\.tar cannot be read as a tar file"):
            levels(tmp_path / "v.tar")
    assert not (tmp_path / "cache").exists()


def test_many_threads_map_at_the_same_time(tmp_path):
    paths = [tmp_path / f"{k}.npy" for k in range(16)]
    for k, path in enumerate(paths):
        np.save(path, np.full(3, k, dtype=[("time", "<f8"), ("place", "<i8", (1, 2))]))
    with ThreadPoolExecutor(16) as pool:
        for _ in range(10):
            assert [array["time"][0] for array in pool.map(mapped, paths)] == list(range(16))


def test_small_files_and_folders_leave_nothing_in_the_cache(tmp_path, scans, monkeypatch):
    write_tar(tmp_path / "v.tar", 5)
    assert levels(tmp_path / "pictures") == [0, 8, 16, 24, 32]
    monkeypatch.setattr(image_sequence, "LARGE", 1 << 26)
    assert levels(tmp_path / "v.tar") == [0, 8, 16, 24, 32]
    assert not (tmp_path / "cache").exists()
