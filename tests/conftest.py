"""What several tests need: small kitchens, rendered once, and a small run of them."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from jaxtyping import install_import_hook

CHECKED = ("data.inputs", "data.readers.audio", "data.readers.features", "data.readers.flow", "data.readers.frames",
           "data.readers.pictures", "data.readers.wav", "losses", "methods", "metrics", "nets.aisfx", "nets.fusion", "nets.heads",
           "nets.lite0", "nets.net", "nets.projection", "signal", "train")  # fmt: skip
"""Where every call's types and shapes are checked: what handles tensors, but for what is called for each frame or layer."""

install_import_hook([f"egonorm.{name}" for name in CHECKED], "beartype.beartype")

# from here on what is imported is checked
import egonorm
from egonorm.bench.config import Run
from egonorm.data.sets.synthetic import KitchensConfig, render_kitchens
from small_runs import small_run

os.environ["OMP_NUM_THREADS"] = "1"  # for the programs that tests start: narrow networks gain nothing by more threads,
torch.set_num_threads(1)  # and threads that wait for each other lose much on a busy machine


def pytest_collection_modifyitems(items):
    """Files with slow tests begin, so that processes which share the files end together."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def kitchens(tmp_path_factory) -> Path:
    """Three small kitchens, with every class in train and test."""
    root = tmp_path_factory.mktemp("data") / "kitchens"
    render_kitchens(root, KitchensConfig(clips=24, kitchens=3, seed=1, size=(72, 96)))
    return root


@pytest.fixture
def run(kitchens) -> Run:
    """A run of a few steps on them, with narrow networks."""
    return small_run(kitchens)


@pytest.fixture
def without_training(tmp_path) -> dict[str, str]:
    """The environment of a program that finds the package without `train`."""
    shutil.copytree(Path(egonorm.__file__).parent, tmp_path / "egonorm", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(tmp_path / "egonorm" / "train")
    return os.environ | {"PYTHONPATH": str(tmp_path)}
