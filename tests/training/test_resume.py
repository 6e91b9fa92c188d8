"""A run that is killed at any instant and goes on ends byte for byte as one that was never stopped."""

import fcntl
import json
import math
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import killed_worker
import pytest
import torch
from killed_worker import checkpoint_often
from safetensors.torch import load_file

from egonorm.cli import main
from egonorm.methods.batch_norm import BatchNorm
from egonorm.runs import presets, run
from egonorm.runs.config import read_run
from egonorm.runs.presets import configure
from egonorm.runs.results import is_complete, read_rows
from egonorm.runs.run import Options, RunContext, execute
from egonorm.training.engine import Objective
from egonorm.training.runtime import start_runtime

MOMENTS = {"step": 4, "write": 2, "between": 2}
"""Each moment, and the step that training then goes on after."""


def arguments(kitchens, out):
    data = f"--data kitchens:{kitchens} --setting dg1:D1:D2 --device cpu --workers 0"
    size = f"--preset demo --steps 8 --batch 4 --width 0.0625 --out {out}"
    return ["train", *data.split(), *size.split(), "rna"]


@pytest.fixture(scope="module")
def unbroken(kitchens, tmp_path_factory):
    """The files of a run that was never stopped."""
    out = tmp_path_factory.mktemp("unbroken")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(presets.PRESETS, "demo", presets.demo)
        patch.setattr(run, "SPARE", run.SPARE)
        checkpoint_often()
        main(arguments(kitchens, out))
    return next(out.iterdir())


def weights(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "checkpoints").iterdir()}


def logged(folder: Path) -> list[dict]:
    """The log without how long it took."""
    entries = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    return [{name: value for name, value in entry.items() if name != "seconds"} for entry in entries]


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_goes_on_to_the_same_bytes(moment, kitchens, unbroken, tmp_path):
    command = [sys.executable, killed_worker.__file__, moment, *arguments(kitchens, tmp_path)]
    killed = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (folder,) = tmp_path.iterdir()
    assert not is_complete(folder)
    log = [json.loads(line)["step"] for line in (folder / "train.jsonl").read_text().splitlines() if line.endswith("}")]
    assert log and log[-1] >= MOMENTS[moment]
    main(["train", "--resume", str(folder), "--device", "cpu", "--workers", "0"])
    assert is_complete(folder)
    assert weights(folder) == weights(unbroken)
    assert logged(folder) == logged(unbroken)
    assert [entry["step"] for entry in logged(folder)] == list(range(1, 9))
    assert [row.value for row in read_rows(folder)] == [row.value for row in read_rows(unbroken)]


@pytest.mark.slow
def test_a_finished_run_has_nothing_to_resume(unbroken, capsys):
    before = weights(unbroken)
    main(["train", "--resume", str(unbroken), "--device", "cpu", "--workers", "0"])
    assert weights(unbroken) == before
    assert "rna" in capsys.readouterr().out


STEPS = 6
WAYS = {
    "sgd": {},
    "adamw, warm-up and cosine": {"optimizer": "adamw", "lr": 0.001, "warm_up": 2, "schedule": "cosine"},
    "frozen blocks and factors": {
        "optimizer": "adamw",
        "micro_batch": 3,
        "lr_factor": {"audio": 0.5, "rgb.neck": 2, "fusion": 0.25},
        "freeze": ("rgb.encoder", "audio.neck"),
    },
}


def train_on_features(store: Path, folder: Path, way: dict, step_of_stop: int | None = None) -> Path:
    """Train in a folder, from where it stands; stopped while the gradient of a step is computed."""
    optim = {"steps": STEPS, "batch": 6, "width": 0.01} | way
    mine = configure(f"features:{store}", "dg1:D1:D2", BatchNorm(), "features", **optim)
    mine = replace(mine, evaluation=replace(mine.evaluation, every=2, keep=9))
    backward, left = Objective.backward, [step_of_stop]

    def backward_until(self, terms, seen):
        backward(self, terms, seen)
        if step_of_stop is not None and seen.progress * STEPS >= left[0] - 0.5:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, start_runtime("cpu") as runtime:
        patch.setattr(Objective, "backward", backward_until)
        patch.setattr(run, "SPARE", 0.0)
        execute(RunContext(mine, folder, runtime, Options(quiet=True)))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_stopped_at_any_step_it_goes_on_to_the_same_bytes(way, feature_store, tmp_path):
    whole = train_on_features(feature_store, tmp_path / "whole", way)
    for step in range(1, STEPS + 1):
        stopped = tmp_path / f"stopped-{step}"
        with pytest.raises(KeyboardInterrupt):
            train_on_features(feature_store, stopped, way, step)
        assert not is_complete(stopped) and len(logged(stopped)) == step - 1
        train_on_features(feature_store, stopped, way)
        assert weights(stopped) == weights(whole) and logged(stopped) == logged(whole)
        assert [row.value for row in read_rows(stopped)] == [row.value for row in read_rows(whole)]


def test_the_log_has_the_rate_of_the_schedule_and_the_frozen_stay(feature_store, tmp_path):
    way = WAYS["frozen blocks and factors"] | {"warm_up": 2, "schedule": "cosine", "lr": 0.01}
    folder = train_on_features(feature_store, tmp_path / "run", way)
    rates = [0.005, 0.01] + [0.005 * (1 + math.cos(math.pi * k / 4)) for k in range(4)]
    assert [entry["lr"] for entry in logged(folder)] == pytest.approx(rates)
    first, last = (load_file(folder / "checkpoints" / f"{step:06d}.safetensors") for step in (2, 6))
    same = {name for name, x in first.items() if torch.equal(x, last[name])}
    frozen = {name for name in first if name.startswith(("encoders.rgb", "necks.audio"))}
    assert same == frozen | {name for name in first if name.startswith("standardise")}
    untrained = read_run(folder).build_net(3).state_dict()
    assert all(torch.equal(untrained[name], last[name]) for name in frozen)
    state = load_file(folder / "checkpoints" / "state.safetensors")
    kept = {name.removeprefix("exp_avg.") for name in state if name.startswith("exp_avg.")}
    learning = {name for name, _ in read_run(folder).build_net(3).named_parameters()} - same
    assert kept == learning and len(state) == 3 * len(learning)


@pytest.mark.slow
def test_reading_processes_end_with_a_killed_training_and_leave_its_folder_free(kitchens, tmp_path):
    words = [word for word in arguments(kitchens, tmp_path) if word != "--workers"]
    words[words.index("0")] = "--workers=2"
    words[words.index("--steps") + 1] = "100000"
    with subprocess.Popen([sys.executable, "-m", "egonorm", *words], stdout=subprocess.DEVNULL) as training:
        deadline = time.monotonic() + 120
        while not any(log.stat().st_size for log in tmp_path.glob("*/train.jsonl")):
            assert training.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        training.kill()
    (folder,) = tmp_path.iterdir()
    with (folder / ".lock").open("w") as lock:
        deadline = time.monotonic() + 3  # torch's own watch takes five seconds
        while not is_free(lock):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def is_free(lock) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
