"""What several tests need: small kitchens, rendered once, and a small run of them."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from egonorm.bench.config import Run
from egonorm.bench.presets import demo
from egonorm.core import Setting
from egonorm.data.sets.synthetic import KitchensConfig, render_kitchens

os.environ["OMP_NUM_THREADS"] = "1"  # for the programs that tests start: narrow networks gain nothing by more threads,
torch.set_num_threads(1)  # and threads that wait for each other lose much on a busy machine


@pytest.fixture(scope="session")
def kitchens(tmp_path_factory) -> Path:
    """Three small kitchens, with every class in train and test."""
    root = tmp_path_factory.mktemp("data") / "kitchens"
    render_kitchens(root, KitchensConfig(clips=24, kitchens=3, seed=1, size=(72, 96)))
    return root


@pytest.fixture
def run(kitchens) -> Run:
    """A run of a few steps on them, with narrow networks."""
    preset = demo()
    return Run(
        data=f"kitchens:{kitchens}",
        setting=Setting("dg1", ("D1",), "D2"),
        net=preset.net.widen(0.0625),
        optim=replace(preset.optim, steps=4, batch=4),
        evaluation=replace(preset.evaluation, every=2, keep=9, num_windows=2),
    )
