"""What a run's folder says of how its numbers came about: the command and the commit of the source."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import egonorm
from egonorm.runs.directory import environment, find_commit
from egonorm.training.runtime import start_runtime


def git(folder: Path, *words: str) -> str:
    name = ("-c", "user.name=nobody", "-c", "user.email=nobody@localhost", "-c", "commit.gpgsign=false")
    command = ["git", "-C", str(folder), *name, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def package(tmp_path) -> Path:
    """A package in `src` of a checkout."""
    folder = tmp_path / "src" / "package"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("x = 1\n")
    (tmp_path / ".gitignore").write_text("installed\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    return folder


def test_the_commit_and_whether_the_source_differs_from_it(package):
    commit = git(package, "rev-parse", "HEAD")
    (package.parents[1] / "notes.txt").write_text("no part of the source")
    assert len(commit) == 40 and find_commit(package) == commit
    (package / "new.py").write_text("y = 2\n")
    assert find_commit(package) == f"{commit}+changes"
    (package / "new.py").unlink()
    (package / "__init__.py").write_text("x = 2\n")
    assert find_commit(package) == f"{commit}+changes"


def test_no_commit_is_no_error_and_says_nothing(package, tmp_path, monkeypatch, capfd):
    installed = tmp_path / "installed" / "package"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("x = 1\n")
    assert find_commit(installed) is None
    assert find_commit(tmp_path / "nowhere") is None
    assert find_commit(package) is not None
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert find_commit(package) is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_training_notes_its_command_and_commit(feature_store, tmp_path):
    words = f"train --data features:{feature_store} --setting dg1:D1:D2 --steps 2 --batch 6 --width 0.01".split()
    words += ["--workers", "0", "--device", "cpu", "--out", str(tmp_path / "my runs"), "rna"]
    subprocess.run([sys.executable, "-m", "egonorm", *words], capture_output=True, check=True)
    (path,) = tmp_path.glob("my runs/*/environment.json")
    (start,) = json.loads(path.read_text())
    assert shlex.split(start["command"]) == ["egonorm", *words]
    assert start["commit"] == find_commit(Path(egonorm.__file__).parent)


def test_a_program_is_named_without_its_folders(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/opt/place/bin/egonorm", "demo", "--out", "a folder"])
    with start_runtime("cpu") as runtime:
        assert environment(runtime)["command"] == "egonorm demo --out 'a folder'"


def test_a_commit_is_found_beside_names_that_are_not_utf8(package):
    git(package, "config", "core.quotePath", "false")
    (package / os.fsdecode(b"\xff.py")).write_text("y = 2\n")
    assert find_commit(package) == f"{git(package, 'rev-parse', 'HEAD')}+changes"
