"""A sweep as a user sees it: done once, then nothing; what was deleted or broken is done again; failures are named."""

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial

import pytest

from egonorm import cli
from egonorm.core import RunError
from egonorm.methods import Rna, SourceOnly
from egonorm.methods.hna import Hna
from egonorm.runs.config import read_run
from egonorm.runs.presets import configure
from egonorm.runs.results import find_runs, is_complete, read_rows
from egonorm.runs.run import Options
from egonorm.sweeps.plan import PlannedRun, make_plan
from egonorm.sweeps.resolve import resolve
from egonorm.sweeps.sweep import do_run, run_sweep


class Here:
    """An engine that performs each task in this process when it is asked what has finished."""

    num_slots = 2

    def __init__(self):
        self.tasks, self.order = {}, []

    def start(self, key, task):
        self.tasks[key] = task

    def finished(self):
        key = next(iter(self.tasks))
        self.order.append(key)
        return key, self.tasks.pop(key)()

    def close(self):
        self.tasks.clear()


@pytest.fixture
def base(feature_store):
    return configure(f"features:{feature_store}", "dg1:D1:D2", SourceOnly(), "features", steps=6, batch=6, width=0.01)


def bench(capsys, suite, out, small, *more):
    cli.main(["bench", suite, *small, "--out", str(out), "--jobs", "2", "--device", "cpu", *more])
    return capsys.readouterr().out


def states(out):
    return {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_sweep_is_done_once_and_mended_where_it_is_broken(small, tmp_path, capsys):
    out, options = tmp_path / "runs", ("--seeds", "0", "--methods", "source-only,hna,rna")
    text = bench(capsys, "paper.table3", out, small, *options)
    folders = find_runs(out)
    assert "0 of 78 runs were complete already, 78 were done now" in text
    assert len(folders) == 78 and all(map(is_complete, folders))
    before = states(out)
    assert "78 of 78 runs were complete already, 0 were done now" in bench(capsys, "paper.table3", out, small, *options)
    assert states(out) == before
    kept = {folder: (folder / "results.jsonl").read_bytes() for folder in folders}
    shutil.rmtree(folders[0])
    (folders[1] / "results.jsonl").unlink()  # judged, but stopped before its rows were written
    assert "76 of 78 runs were complete already, 2 were done now" in bench(capsys, "paper.table3", out, small, *options)
    assert {folder: (folder / "results.jsonl").read_bytes() for folder in folders} == kept
    text = bench(capsys, "paper.table3", out, small, "--seeds", "0,1", "--methods", "source-only,rna")
    assert "60 of 120 runs were complete already, 60 were done now" in text


def test_runs_that_wait_come_after_what_they_need_with_its_norms(base, tmp_path):
    jobs = (PlannedRun(replace(base, method=Hna()), (base,)), PlannedRun(base), PlannedRun(replace(base, seed=1)))
    engine = Here()
    heard = []
    outcome = run_sweep(jobs, tmp_path, engine, Options(quiet=True), "cpu", lambda *counts: heard.append(counts))
    assert outcome.done == 3 and not outcome.failed
    assert engine.order.index(1) < engine.order.index(0)
    run = resolve(jobs[0], tmp_path)
    entries = [json.loads(line)["norms"] for line in (tmp_path / base.name / "train.jsonl").read_text().splitlines()]
    assert run.method.radius == pytest.approx(sum(entries[-1].values()) / 2, abs=0.006)
    assert run.method.radius == round(run.method.radius, 2) != Hna().radius
    assert is_complete(tmp_path / run.name) and read_run(tmp_path / run.name) == run
    assert heard[0] == (3, 0, 0, 2, 0) and heard[-1] == (3, 0, 3, 0, 0)


def test_a_failure_stops_no_other_and_is_named(base, tmp_path):
    bad = replace(base, setting=replace(base.setting, target="D9"))
    hna = PlannedRun(replace(bad, method=Hna()), (bad,))
    outcome = run_sweep((PlannedRun(bad), hna, PlannedRun(base)), tmp_path, Here(), Options(quiet=True), "cpu")
    assert outcome.done == 1 and set(outcome.failed) == {bad.name, hna.run.name}
    assert "unknown domain D9" in outcome.failed[bad.name] and "has no radius yet" in outcome.failed[hna.run.name]
    with pytest.raises(RunError, match=r"hna in dg1:D1:D9 has no radius yet(.|\n)*--methods hna:radius="):
        resolve(hna, tmp_path)


@pytest.mark.slow
def test_the_command_names_failures_and_ends_with_one(small, tmp_path, capsys):
    options = (
        *small,
        "--out",
        str(tmp_path),
        "--seeds",
        "0",
        "--methods",
        "rna",
        "--setting",
        "dg1:D1:D2",
        "--jobs",
        "1",
    )
    run = make_first(small)
    folder = tmp_path / run.name
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    with pytest.raises(SystemExit) as caught:
        cli.main(["bench", "paper.table1", *options, "--device", "cpu"])
    assert "1 of the runs failed" in str(caught.value) and run.name in str(caught.value)
    assert "holds something that is no run" in capsys.readouterr().err


def make_first(small):
    base = configure(small[1], "dg1:D1:D2", Rna(), "features", steps=6, batch=6, width=0.01)
    return make_plan_of(base)[0].run


def make_plan_of(base):
    from egonorm.sweeps.paper import suites

    parts = suites(base.net.streams)["paper.table1"]
    return make_plan(parts, base, ("D1", "D2", "D3"), [0], names=["rna"], settings=[base.setting]).runs


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("--seeds", "0,zero", "seeds cannot be read"),
        ("--seeds", "1,1", "different whole numbers"),
        ("--shard", "2", "shard cannot be read"),
        ("--shard", "3/2", "from 1 to N"),
        ("--jobs", "0", "jobs cannot be used"),
        ("--methods", "ran", "no such methods"),
        ("--setting", "dg1:D1:D7", "no such settings"),
    ],
)
def test_options_that_make_no_sense(option, value, text, small, tmp_path):
    with pytest.raises(SystemExit) as caught:
        cli.main(["bench", "paper.table1", *small, "--out", str(tmp_path / "runs"), option, value])
    assert text in str(caught.value) and not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_killing_a_sweep_leaves_no_process_and_it_goes_on(small, tmp_path):
    options = f"--seeds 0 --out {tmp_path} --jobs 2 --device cpu"
    command = [sys.executable, "-m", "egonorm", "bench", "paper.figure5", *small, *options.split()]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while sum(map(is_complete, tmp_path.glob("source-only-*"))) < 3:
        assert first.poll() is None
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    finished = {folder for folder in tmp_path.glob("source-only-*") if is_complete(folder)}
    done = {folder: (folder / "results.jsonl").stat().st_mtime_ns for folder in finished}
    second = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "of 27 runs were complete already" in second.stdout
    assert {folder: (folder / "results.jsonl").stat().st_mtime_ns for folder in finished} == done
    assert sum(map(is_complete, tmp_path.glob("source-only-*"))) == 27


@pytest.mark.slow
def test_ray_makes_the_same_rows(base, tmp_path):
    pytest.importorskip("ray", reason="the package ray is not installed")
    options = f"--data {base.data} --preset features --steps 6 --batch 6 --width 0.01 --seeds 0 --methods rna"
    command = ["bench", "paper.table1", *options.split(), "--setting", "dg1:D1:D2"]
    run = partial(subprocess.run, check=True, capture_output=True, text=True)
    for engine in ("local", "ray"):
        run(
            [
                sys.executable,
                "-m",
                "egonorm",
                *command,
                "--engine",
                engine,
                "--out",
                str(tmp_path / engine),
                "--jobs",
                "1",
            ]
        )
    (one,), (two,) = (find_runs(tmp_path / engine) for engine in ("local", "ray"))
    rows = [{(row.step, row.domain, row.metric): row.value for row in read_rows(folder)} for folder in (one, two)]
    assert rows[0] == pytest.approx(rows[1], rel=1e-4)  # as far as the number of threads allows
    starts = [json.loads((folder / "environment.json").read_text())[0] for folder in (one, two)]
    assert all(start["command"].startswith("egonorm bench paper.table1") for start in starts)


def test_an_unforeseen_error_is_told_and_not_thrown(base, tmp_path, monkeypatch):
    monkeypatch.setattr("egonorm.sweeps.sweep.execute", lambda trial: 1 / 0)
    assert do_run(PlannedRun(base), tmp_path, Options(quiet=True), "cpu") == "ZeroDivisionError: division by zero"


def test_a_run_whose_configuration_is_lost_is_named_and_not_taken_for_done(base, tmp_path):
    assert run_sweep((PlannedRun(base),), tmp_path, Here(), Options(quiet=True), "cpu").done == 1
    (tmp_path / base.name / "config.json").unlink()
    outcome = run_sweep((PlannedRun(base),), tmp_path, Here(), Options(quiet=True), "cpu")
    assert "holds something that is no run" in outcome.failed[base.name]


def test_nothing_to_do_is_an_error(small, tmp_path):
    with pytest.raises(SystemExit, match=r"nothing to do(.|\n)*method rna cannot work"):
        cli.main(
            [
                "bench",
                "paper.table1",
                *small,
                "--modalities",
                "rgb",
                "--methods",
                "rna",
                "--out",
                str(tmp_path / "runs"),
            ]
        )


@pytest.mark.parametrize(("option", "value"), [("--freeze", "rgb.encodr"), ("--lr-factor", "rgb.encodr=0.5")])
def test_a_block_that_a_network_does_not_have_is_refused_before_any_run(option, value, small, tmp_path):
    with pytest.raises(
        SystemExit, match=rf"{option}: the network has no block rgb.encodr(.|\n)*rgb.encoder, rgb.classifier"
    ):
        cli.main(["bench", "paper.table1", *small, "--out", str(tmp_path / "runs"), option, value, "--device", "cpu"])
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_streams_alone_are_trained_without_the_blocks_of_the_others(small, tmp_path, capsys):
    options = ("--seeds", "0", "--setting", "dg1:D1:D2", "--freeze", "rgb.encoder", "--lr-factor", "audio=0.5")
    assert "3 were done now" in bench(capsys, "paper.figure5", tmp_path, small, *options, "--optimizer", "adamw")
    found = {"+".join(run.net.streams): run.optim for run in map(read_run, find_runs(tmp_path))}
    assert {streams: (x.lr_factors, x.frozen, x.optimizer) for streams, x in found.items()} == {
        "rgb": ({}, ("rgb.encoder",), "adamw"),
        "audio": ({"audio": 0.5}, (), "adamw"),
        "rgb+audio": ({"audio": 0.5}, ("rgb.encoder",), "adamw"),
    }


@pytest.mark.slow
def test_runs_of_a_sweep_may_read_in_processes_of_their_own(small, tmp_path, capsys):
    options = ("--seeds", "0", "--methods", "source-only", "--setting", "dg1:D1:D2", "--workers", "1")
    assert "1 were done now" in bench(capsys, "paper.table1", tmp_path, small, *options)


def test_a_log_that_tells_no_norms_gives_no_radius(base, tmp_path):
    do_run(PlannedRun(base), tmp_path, Options(quiet=True), "cpu")
    (tmp_path / base.name / "train.jsonl").write_text("")
    with pytest.raises(RunError, match=r"does not say how long the features were(.|\n)*those of all 6 steps"):
        resolve(PlannedRun(replace(base, method=Hna()), (base,)), tmp_path)
    outcome = run_sweep(
        (PlannedRun(base), PlannedRun(replace(base, method=Hna()), (base,))),
        tmp_path,
        Here(),
        Options(quiet=True),
        "cpu",
    )
    assert outcome.skipped == 1 and len(outcome.failed) == 1
