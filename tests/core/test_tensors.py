"""Tensors on disk: they come back with what is said of them, and any changed byte is noticed."""

import pytest
import safetensors.torch
import torch

from egonorm.core.tensors import METADATA, has_digest, read_about, read_tensors, write_tensors

TENSORS = {
    "weight": torch.arange(6.0).reshape(2, 3),
    "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "number": torch.tensor(7),
    "none": torch.zeros(0, 3),
}
ABOUT = {"step": 3, "classes": ["cut", "mix"]}


@pytest.fixture
def path(tmp_path):
    write_tensors(tmp_path / "a.safetensors", TENSORS, ABOUT)
    return tmp_path / "a.safetensors"


def test_tensors_come_back_with_what_is_said_of_them(path):
    found = read_tensors(path)
    assert found.keys() == TENSORS.keys() and read_about(path) == ABOUT and has_digest(path)
    assert all(torch.equal(found[name], x) and found[name].dtype == x.dtype for name, x in TENSORS.items())


def test_equal_tensors_are_equal_bytes(path, tmp_path):
    write_tensors(tmp_path / "b", dict(reversed(TENSORS.items())), ABOUT)
    assert (tmp_path / "b").read_bytes() == path.read_bytes()


def test_changed_bytes_are_noticed(path):
    whole = path.read_bytes()
    begin = 8 + int.from_bytes(whole[:8], "little")
    for place in (
        *range(8),
        whole.index(b"cut"),
        whole.index(b"F32"),
        whole.index(b"weight"),
        *range(begin, len(whole)),
    ):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises((OSError, ValueError)):
            read_tensors(path)
    path.write_bytes(whole[:-1])
    with pytest.raises(ValueError, match=r".+"):
        read_tensors(path)


def test_older_files_have_no_digest_and_are_read(path):
    safetensors.torch.save_file(TENSORS, path, {METADATA: '{"step": 3}'})
    assert not has_digest(path) and read_about(path) == {"step": 3} and read_tensors(path).keys() == TENSORS.keys()
    safetensors.torch.save_file(TENSORS, path)
    assert not has_digest(path) and read_about(path) == {} and read_tensors(path).keys() == TENSORS.keys()


@pytest.mark.parametrize("about", ["[1]", "[" * 99999, "3"])
def test_what_says_nothing_is_refused(path, about):
    safetensors.torch.save_file(TENSORS, path, {METADATA: about})
    with pytest.raises(ValueError, match=r"metadata that are|too deep"):
        read_about(path)
