"""Whole files: several processes may write one, and what a stopped one left is removed without harm to the others."""

import fcntl
import subprocess
import sys

import pytest

from egonorm.core.files import parse_json, remove_left, replacing, write_atomically

WRITER = """
import sys
from pathlib import Path
from egonorm.core.files import remove_left, write_atomically
path = Path(sys.argv[1])
for _ in range(25):
    write_atomically(path, sys.argv[2].encode() * 5000)
    remove_left(path.parent)
"""


def test_processes_that_write_one_file_at_once_do_not_meet(tmp_path):
    path = tmp_path / "deep" / "file"
    calls = [subprocess.Popen([sys.executable, "-c", WRITER, path, letter]) for letter in "abcd"]
    assert [call.wait(100) for call in calls] == [0] * 4
    content = path.read_text()
    assert content == content[0] * 5000 and content[0] in "abcd"
    assert list(path.parent.iterdir()) == [path]


def test_what_a_stopped_process_left_is_removed_and_what_is_being_written_stays(tmp_path):
    (tmp_path / ".old.partial").write_bytes(b"half")
    (tmp_path / "file").write_bytes(b"old")
    with replacing(tmp_path / "file") as file:
        file.write(b"new")
        remove_left(tmp_path, tmp_path / "none")
        assert len(list(tmp_path.glob(".*.partial"))) == 1 and (tmp_path / "file").read_bytes() == b"old"
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"new")]


def test_a_partial_file_that_another_process_took_for_an_old_one_is_begun_anew(tmp_path, monkeypatch):
    locked, taken = fcntl.flock, []

    def lock(file, how):
        if not taken:
            taken.append(file.name)
            next(tmp_path.glob(".*.partial")).unlink()
        return locked(file, how)

    monkeypatch.setattr(fcntl, "flock", lock)
    write_atomically(tmp_path / "file", b"new")
    assert taken and (tmp_path / "file").read_bytes() == b"new"


@pytest.mark.parametrize("text", ["[" * 99999, '{"a":' * 99999, "", "[1"])
def test_json_that_nests_too_deep_is_no_json(text):
    with pytest.raises(ValueError, match=r".+"):
        parse_json(text)
    assert parse_json(b'{"a": [1]}') == {"a": [1]}
