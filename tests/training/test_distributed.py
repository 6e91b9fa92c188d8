"""One process and two train the same weights, batch norm included."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from egonorm.core import RunError
from egonorm.runs.results import read_rows
from egonorm.training.runtime import Runtime
from our_methods import our_methods

WORKER = Path(__file__).parent / "distributed_worker.py"
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def run(command: list[str], **environment: str) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | environment, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def difference(first: dict, second: dict) -> float:
    assert first.keys() == second.keys()
    return max(float((first[k].double() - second[k].double()).abs().max()) for k in first)


@pytest.mark.slow
def test_two_processes_train_the_weights_of_one(tmp_path):
    """Both networks, RNA, dropout, batch norm in 57 + 69 layers, a labelled and an unlabelled domain."""
    run([sys.executable, str(WORKER), str(tmp_path / "one.pt"), "10"])
    run([*TORCHRUN, str(WORKER), str(tmp_path / "two.pt"), "10"])
    one, two = (torch.load(tmp_path / name, weights_only=True) for name in ("one.pt", "two.pt"))
    assert difference(one, two) < 1e-5


@pytest.mark.slow
def test_two_processes_train_the_weights_of_one_with_every_method(tmp_path):
    worker = str(WORKER.with_name("methods_worker.py"))
    run([sys.executable, worker, str(tmp_path / "one.pt")])
    run([*TORCHRUN, worker, str(tmp_path / "two.pt")])
    one, two = (torch.load(tmp_path / name, weights_only=True) for name in ("one.pt", "two.pt"))
    assert {name.partition(".")[0] for name in one} == set(our_methods())
    assert difference(one, two) < 1e-9
    assert not torch.equal(one["rna.1.encoders.rgb.0.weight"], one["rna.2.encoders.rgb.0.weight"])  # other statistics


@pytest.mark.slow
def test_two_processes_train_the_weights_of_one_with_backward_passes_of_a_users_methods(tmp_path, monkeypatch):
    """Gradients that are changed behind the backward pass, taken by autograd.grad, and of several backward passes."""
    worker, names = (
        str(WORKER.with_name("methods_worker.py").absolute()),
        ["user_methods:Ogm", "user_methods:Projected"],
    )
    monkeypatch.chdir(WORKER.parent.parent / "methods")
    run([sys.executable, worker, str(tmp_path / "one.pt"), *names])
    run([*TORCHRUN, worker, str(tmp_path / "two.pt"), *names])
    one, two = (torch.load(tmp_path / name, weights_only=True) for name in ("one.pt", "two.pt"))
    assert difference(one, two) < 1e-9
    plain = tmp_path / "plain.pt"
    run([sys.executable, worker, str(plain), "source-only"])
    usual = torch.load(plain, weights_only=True)["source-only.1.encoders.rgb.0.weight"]
    for name in names:  # each of them changes something
        assert float((one[f"{name}.1.encoders.rgb.0.weight"] - usual).abs().max()) > 1e-4


@pytest.mark.slow
def test_two_processes_train_the_weights_of_one_with_any_optimiser_and_frozen_blocks(tmp_path, monkeypatch):
    worker = str(WORKER.with_name("optimizer_worker.py").absolute())
    monkeypatch.chdir(WORKER.parent.parent / "methods")  # where the user's methods are
    run([sys.executable, worker, str(tmp_path / "one.pt")])
    run([*TORCHRUN, worker, str(tmp_path / "two.pt")])
    one, two = (torch.load(tmp_path / name, weights_only=True) for name in ("one.pt", "two.pt"))
    assert difference(one, two) < 1e-5
    first = one["adamw/encoders.audio.1.running_mean"]
    assert not torch.equal(first, torch.zeros_like(first))  # it learns, and where it is frozen it does not
    for way in ("frozen, adamw, factors", "micro-batch", "gradients of its own"):
        assert torch.equal(two[f"{way}/encoders.audio.1.running_mean"], torch.zeros_like(first))


@pytest.mark.slow
def test_torchrun_of_the_command_trains_and_judges_as_one_process_does(kitchens, tmp_path):
    command = f"train --data kitchens:{kitchens} --setting dgn:D1+D2:D3 --preset demo --steps 4 --batch 4".split()
    command += ["--width", "0.0625", "--workers", "0", "--device", "cpu"]
    run([sys.executable, "-m", "egonorm", *command, "--out", str(tmp_path / "one"), "rna"], OMP_NUM_THREADS="1")
    run([*TORCHRUN, "-m", "egonorm", *command, "--out", str(tmp_path / "two"), "rna"], OMP_NUM_THREADS="1")
    (one,), (two,) = ((tmp_path / name).glob("rna-*") for name in ("one", "two"))
    assert one.name == two.name
    logs = [[json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()] for folder in (one, two)]
    assert [entry["step"] for entry in logs[0]] == [entry["step"] for entry in logs[1]] == [1, 2, 3, 4]
    for what in ("terms", "norms"):  # later steps differ by what float32 rounding grows to
        assert logs[0][0][what] == pytest.approx(logs[1][0][what], rel=1e-4)
    assert logs[0][0]["accuracy"] == logs[1][0]["accuracy"]  # of the global batch
    counts = [
        {d: {name: about["n"] for name, about in of.items()} for d, of in log[-1]["classes"].items()} for log in logs
    ]
    assert counts[0] == counts[1] and all(sum(of.values()) == 4 for of in counts[0].values())
    rows = [[(row.step, row.domain, row.metric, row.n) for row in read_rows(folder)] for folder in (one, two)]
    assert rows[0] == rows[1]
    with np.load(one / "predictions" / "000004-D3.npz") as a, np.load(two / "predictions" / "000004-D3.npz") as b:
        assert a["uids"].tolist() == b["uids"].tolist() and a["labels"].tolist() == b["labels"].tolist()


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(RunError, match=r"batch 7, 2 processes(.|\n)*a multiple of the number of processes"):
        Runtime(torch.device("cpu"), rank=0, num_ranks=2).share(7)
