"""Runs that never see their targets share one training, with the same numbers as if each had trained itself."""

import json
import os
import shutil
from dataclasses import replace

import pytest
from test_sweep import Here

from egonorm.core import Setting
from egonorm.methods import Rna
from egonorm.runs.presets import configure
from egonorm.runs.results import is_complete
from egonorm.runs.run import Options
from egonorm.sweeps.plan import PlannedRun
from egonorm.sweeps.sweep import do_run, run_sweep

pytestmark = pytest.mark.slow

QUIET = Options(quiet=True)


@pytest.fixture
def jobs(feature_store):
    """RNA on D1 for D2 and, with the same training, for D3."""
    first = configure(f"features:{feature_store}", "dg1:D1:D2", Rna(), "features", steps=60, batch=6, width=0.01)
    return PlannedRun(first), PlannedRun(replace(first, setting=Setting.parse("dg1:D1:D3")), reuse=first)


@pytest.fixture
def alone(jobs, tmp_path):
    """What the second run comes to when it trains itself: the bytes of its rows, networks and log but for its seconds."""
    assert do_run(PlannedRun(jobs[1].run), tmp_path / "alone", QUIET, "cpu") is None
    return numbers(tmp_path / "alone" / jobs[1].run.name)


def numbers(folder):
    log = [json.loads(line) | {"seconds": 0} for line in (folder / "train.jsonl").read_text().splitlines()]
    files = {path.name: path.read_bytes() for path in folder.glob("checkpoints/*")}
    return log, files, (folder / "results.jsonl").read_bytes()


def starts(folder):
    return json.loads((folder / "environment.json").read_text())


def test_the_second_takes_the_training_of_the_first_and_has_the_numbers_of_its_own(jobs, alone, tmp_path, monkeypatch):
    engine, trained = Here(), []
    monkeypatch.setattr("egonorm.runs.run.train_steps", counted(trained))
    outcome = run_sweep(tuple(reversed(jobs)), tmp_path, engine, QUIET, "cpu")
    assert outcome.done == 2 and engine.order == [1, 0]
    one, two = (tmp_path / job.run.name for job in jobs)
    assert trained == [60, 0]
    assert numbers(two) == alone
    assert [(start["after_step"], start.get("trained_by")) for start in starts(two)] == [(0, None), (60, one.name)]
    network = next((two / "checkpoints").glob("*60.safetensors"))
    assert network.samefile(one / "checkpoints" / network.name)


def counted(steps):
    """The training loop, noting how many steps it does each time."""
    from egonorm.runs.run import train_steps

    def counting(model, optimizer, optim, batches, first, *others):
        steps.append(optim.steps - first + 1)
        return train_steps(model, optimizer, optim, batches, first, *others)

    return counting


@pytest.mark.slow
@pytest.mark.parametrize(
    "missing",
    [
        "train.jsonl",
        "environment.json",
        "config.json",
        "checkpoints/state.safetensors",
        "checkpoints/000060.safetensors",
        "checkpoints",
    ],
)
def test_it_trains_itself_where_something_of_the_first_is_gone(missing, jobs, alone, tmp_path):
    first, second = jobs
    assert do_run(first, tmp_path, QUIET, "cpu") is None
    (tmp_path / first.run.name / missing).rename(tmp_path / "away")
    assert do_run(second, tmp_path, QUIET, "cpu") is None
    assert numbers(tmp_path / second.run.name) == alone
    assert len(starts(tmp_path / second.run.name)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("damaged", ["checkpoints/state.safetensors", "checkpoints/000060.safetensors"])
def test_it_trains_itself_where_something_of_the_first_is_damaged(damaged, jobs, alone, tmp_path):
    first, second = jobs
    assert do_run(first, tmp_path, QUIET, "cpu") is None
    path = tmp_path / first.run.name / damaged
    path.write_bytes(path.read_bytes()[:-100])
    assert do_run(second, tmp_path, QUIET, "cpu") is None
    assert numbers(tmp_path / second.run.name) == alone


def test_what_was_taken_over_is_forgotten_where_the_run_then_trains_itself(jobs, alone, tmp_path):
    second = jobs[1]
    assert [do_run(job, tmp_path, QUIET, "cpu") for job in jobs] == [None, None]
    folder = tmp_path / second.run.name
    shutil.rmtree(folder / "checkpoints")
    (folder / "results.jsonl").unlink()
    assert do_run(PlannedRun(second.run), tmp_path, QUIET, "cpu") is None
    assert numbers(folder) == alone and [start.get("trained_by") for start in starts(folder)] == [None]


def test_it_trains_itself_after_a_first_that_failed(jobs, alone, tmp_path):
    first, second = jobs
    folder = tmp_path / first.run.name
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    outcome = run_sweep(jobs, tmp_path, Here(), QUIET, "cpu")
    assert outcome.done == 1 and set(outcome.failed) == {first.run.name}
    assert numbers(tmp_path / second.run.name) == alone


def test_it_trains_itself_where_the_first_was_of_other_clips(jobs, alone, tmp_path):
    first, second = jobs
    assert do_run(first, tmp_path, QUIET, "cpu") is None
    for path in (tmp_path / first.run.name / "checkpoints").iterdir():
        content = path.read_bytes()
        at = content.index(b'clips\\": \\"') + len(b'clips\\": \\"')
        path.write_bytes(content[:at] + bytes(reversed(content[at : at + 16])) + content[at + 16 :])
    assert do_run(second, tmp_path, QUIET, "cpu") is None
    assert numbers(tmp_path / second.run.name) == alone


def test_a_training_that_was_begun_goes_on_and_is_not_replaced(jobs, alone, tmp_path):
    first, second = jobs
    assert do_run(PlannedRun(second.run), tmp_path, QUIET, "cpu") is None
    assert do_run(first, tmp_path, QUIET, "cpu") is None
    (tmp_path / second.run.name / "results.jsonl").unlink()
    assert do_run(second, tmp_path, QUIET, "cpu") is None
    assert len(starts(tmp_path / second.run.name)) == 1 and numbers(tmp_path / second.run.name) == alone


def test_where_files_cannot_have_two_names_they_are_copied(jobs, alone, tmp_path, monkeypatch):
    def refused(path, other):
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refused)
    assert [do_run(job, tmp_path, QUIET, "cpu") for job in jobs] == [None, None]
    one, two = (tmp_path / job.run.name / "checkpoints/000060.safetensors" for job in jobs)
    assert one.read_bytes() == two.read_bytes() and not one.samefile(two)
    assert is_complete(tmp_path / jobs[1].run.name) and numbers(tmp_path / jobs[1].run.name) == alone
