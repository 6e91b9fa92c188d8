"""Arrays of `.npz` files: what numpy wrote is read as numpy reads it, and what is unusual or damaged is numpy's."""

import io
import zipfile
import zlib

import numpy as np
import pytest

from egonorm.core.npz import check_npz
from egonorm.runs import predictions as npz
from egonorm.runs.predictions import read_npz

ARRAYS = {
    "uids": np.array(["a", "bé", "ccc"]),
    "labels": np.array([2, 0, 1]),
    "scores/fused": np.arange(12, dtype=np.float32).reshape(3, 4),
    "turned": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "one": np.array(3.5),
    "none": np.zeros((0, 4), np.float32),
}


@pytest.fixture
def without_numpy(monkeypatch):
    """numpy's own reader is not asked."""
    monkeypatch.setattr(npz.np, "load", None)


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype and np.array_equal(found[name], array)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_wrote(tmp_path, save, without_numpy):
    save(tmp_path / "a.npz", **ARRAYS)
    assert_same(read_npz(tmp_path / "a.npz"), ARRAYS)
    assert_same(
        read_npz(tmp_path / "a.npz", ["scores/fused", "uids"]), {k: ARRAYS[k] for k in ("scores/fused", "uids")}
    )


def test_what_others_wrote_is_left_to_numpy(tmp_path):
    np.savez(tmp_path / "a.npz", **ARRAYS)
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as file:
        file.comment = b"a remark"
    assert_same(read_npz(tmp_path / "a.npz"), ARRAYS)
    with zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_BZIP2) as file:
        content = io.BytesIO()
        np.lib.format.write_array(content, ARRAYS["labels"], version=(2, 0))
        file.writestr("labels.npy", content.getvalue())
    assert_same(read_npz(tmp_path / "b.npz", ["labels"]), {"labels": ARRAYS["labels"]})


def test_what_is_packed_as_numpy_never_does_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_LZMA) as file:
        file.writestr("labels.npy", bytes(100))
    with pytest.raises(ValueError, match="packed by method 14"):
        read_npz(tmp_path / "a.npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_bytes_of_an_array_are_noticed_or_change_nothing(tmp_path, save):
    path, refused = tmp_path / "a.npz", 0
    save(path, labels=np.arange(50))
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as file:
        (entry,) = file.infolist()
    start = 30 + len(entry.filename) + int.from_bytes(whole[28:30], "little")
    for place in range(start, start + entry.compress_size, 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        try:
            assert np.array_equal(read_npz(path, ["labels"])["labels"], np.arange(50))
        except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error):
            refused += 1
    assert refused > 5


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x05\x06" + bytes(18), b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_file_of_arrays(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises((ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile)):
        read_npz(tmp_path / "a.npz", ["labels"])


def test_an_array_that_is_not_there(tmp_path):
    np.savez(tmp_path / "a.npz", labels=[1])
    with pytest.raises(KeyError, match="scores"):
        read_npz(tmp_path / "a.npz", ["labels", "scores"])


def test_objects_are_never_unpickled(tmp_path):
    np.savez(tmp_path / "a.npz", labels=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        read_npz(tmp_path / "a.npz")


def lying(path, shape=(2**40,), size=None):
    """A file whose array is of another shape, or whose entry is of another size, than its bytes."""
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "<f8", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("labels.npy", content.getvalue() + bytes(800))
    if size is not None:
        whole = bytearray(path.read_bytes())
        place = whole.index(b"PK\x01\x02") + 24
        whole[place : place + 4] = size.to_bytes(4, "little")
        path.write_bytes(whole)


@pytest.mark.parametrize("shape", [(2**40,), (2**62,), (101,), (99,), (-100,), (2**31, 2**31)])
def test_an_array_that_is_not_as_large_as_it_says_is_refused_before_memory_is_taken(tmp_path, shape):
    lying(tmp_path / "a.npz", shape)
    with pytest.raises(ValueError, match="in 800 bytes"):
        read_npz(tmp_path / "a.npz")
    with pytest.raises(ValueError, match="in 800 bytes"):
        check_npz(tmp_path / "a.npz")


def test_an_entry_that_says_to_be_larger_than_its_bytes_can_become_is_refused(tmp_path):
    lying(tmp_path / "a.npz", (100,), 2**32 - 1)
    with pytest.raises(ValueError, match=r"says to be of 4294967295 bytes, out of \d+"):
        read_npz(tmp_path / "a.npz")
