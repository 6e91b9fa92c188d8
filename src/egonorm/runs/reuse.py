"""Runs that see no target train alike: a later one takes over the training of an earlier one, and judges its own target."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from egonorm.core import RunError
from egonorm.core.files import saving, write_atomically
from egonorm.nets.net import read_metadata
from egonorm.runs.config import Run, read_run
from egonorm.runs.directory import ENVIRONMENT, note_start
from egonorm.runs.train_log import LOG
from egonorm.training.checkpoint import Checkpoints
from egonorm.training.runtime import Runtime


def take_over(run: Run, ours: Checkpoints, other: Path, runtime: Runtime, about: Mapping[str, object]) -> None:
    """Give a run that has no checkpoint yet the training of another folder: surroundings, log, networks and state.

    Where that training is not finished, is gone, is of another kind of run, or was on something else than `about` says,
    nothing is done: the run then trains itself.
    """
    folder, theirs = ours.folder.parent, replace(ours, folder=other / ours.folder.name)
    if ours.last_step() or not _is_finished(theirs, about) or not _trains_alike(other, run):
        return
    for name in (ENVIRONMENT, LOG):
        write_atomically(folder / name, (other / name).read_bytes())
    note_start(folder, runtime, theirs.steps, trained_by=other.name)
    networks = [theirs.path(step) for step in theirs.saved()]
    for path in (*networks, theirs.state):  # last the state, which makes the others count
        _share(path, ours.folder / path.name)


def _is_finished(theirs: Checkpoints, about: Mapping[str, object]) -> bool:
    """Whether a training is at its end, with every network there and of these clips; a damaged file is not."""
    try:
        found = [read_metadata(path) for path in (theirs.state, *map(theirs.path, theirs.saved()))]
        return theirs.are_whole() and found == [{"step": step, **about} for step in (theirs.steps, *theirs.saved())]
    except RunError:
        return False


def _trains_alike(folder: Path, run: Run) -> bool:
    """Whether a folder is of a run that differs by its setting alone, and says how it was trained."""
    try:
        found = read_run(folder)
    except RunError:
        return False
    return replace(found, setting=run.setting) == run and all((folder / name).exists() for name in (ENVIRONMENT, LOG))


def _share(path: Path, other: Path) -> None:
    """One file under two names; a copy where the disk cannot do that. No file of a run is ever changed in place."""
    with saving(other):
        other.parent.mkdir(parents=True, exist_ok=True)
        other.unlink(missing_ok=True)
    try:
        os.link(path, other)
    except OSError:
        write_atomically(other, path.read_bytes())
