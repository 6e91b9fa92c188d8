"""A run's network: built with its first weights, or as it was after a step."""

import copy
from pathlib import Path

import torch

from egonorm.core import RunError
from egonorm.core.seed import address
from egonorm.nets.checkpoint_io import load_network, network_of, read_metadata
from egonorm.nets.net import Net
from egonorm.runs.config import Run

CHECKPOINTS = "checkpoints"
"""The folder of a run's networks, in the run's."""


def build_net(run: Run, num_classes: int, pretrained: bool = False) -> Net:
    """The network, with the same first weights for the same seed; `pretrained` loads the published ones if there are any."""
    torch.manual_seed(address(run.seed, "net"))
    encoders = {name: stream.encoder.build(pretrained) for name, stream in run.net.streams.items()}
    net = Net(encoders, num_classes, run.net.fusion, run.net.dropout)
    run.method.prepare(net)
    return net


def load_trained(folder: Path, run: Run, step: int, like: Net | None = None) -> tuple[Net, tuple[str, ...]]:
    """The network of a run's folder after a step, in evaluation, and the classes that it was trained on.

    Args:
        like: the run's network after another step; a copy of it is made sooner than a new one.

    Raises:
        RunError: when that checkpoint is not there, or does not fit the run.
    """
    path = network_of(folder / CHECKPOINTS, step)
    if not path.exists():
        raise RunError(
            f"{folder} has no network of step {step}.",
            got=f"no file {path}",
            expected="a checkpoint that training kept",
            remedy=f"Copy the run's {CHECKPOINTS} here; or remove the folder and do the run again.",
        )
    classes = tuple(read_metadata(path)["classes"])
    net = build_net(run, len(classes)) if like is None else copy.deepcopy(like)
    load_network(path, net)
    return net.eval(), classes
