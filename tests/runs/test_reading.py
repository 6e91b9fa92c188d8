"""What reads runs works where nothing can train: on a copy of the package without the folder `train`."""

import os

import pytest
import torch

from egonorm import runs
from egonorm.core import RunError
from egonorm.runs.config import Run, load_trained
from egonorm.training.checkpoint import Checkpoints
from egonorm.training.optimizer import make_optimizer
from programs import program
from stored_runs import plain_run, store

READING = (
    "runs.results runs.config runs.presets runs.predictions runs.train_log "
    "aggregate.paired aggregate.aggregate aggregate.table aggregate.paper_comparison "
    "sweeps.paper sweeps.plan export.examples export.saved_clip export.activation export.video export.save"
)


@pytest.mark.slow
def test_reading_needs_no_training(without_training):
    lines = ["import egonorm; print(egonorm.__file__)"] + [f"import egonorm.{name}" for name in READING.split()]
    assert program(without_training, "-c", "\n".join(lines)).startswith(without_training["PYTHONPATH"])


@pytest.mark.slow
def test_the_command_line_reads_runs_without_training(without_training, tmp_path):
    folder = store(tmp_path / "runs", plain_run(), {"D2": [[True, False, True, True]]})
    table = program(without_training, "-m", "egonorm", "table", folder.parent, "--select", "last", "--format", "csv")
    assert "source-only" in table and "75.0" in table
    assert program(without_training, "-m", "egonorm", "--help") == program(dict(os.environ), "-m", "egonorm", "--help")


def test_names_of_the_floor_come_when_they_are_asked_for():
    assert all(hasattr(runs, name) for name in runs.__all__) and dir(runs) == runs.__all__
    assert runs.Run is Run
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = runs.nothing


@pytest.mark.slow
def test_a_network_comes_back_as_it_was_trained(run: Run, tmp_path):
    net = run.build_net(3)
    saved = Checkpoints(tmp_path / "checkpoints", steps=4, every=2, keep=9)
    saved.save(4, net, make_optimizer(run.optim, net), {"classes": ["cut", "mix", "wash"]})
    found, classes = load_trained(tmp_path, run, 4)
    assert classes == ("cut", "mix", "wash") and not found.training
    assert all(torch.equal(x, found.state_dict()[name]) for name, x in net.state_dict().items())
    with pytest.raises(RunError, match=r"has no network of step 2(.|\n)*000002\.safetensors(.|\n)*remedy:"):
        load_trained(tmp_path, run, 2)
