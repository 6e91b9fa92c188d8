"""A run that takes a second."""

from dataclasses import replace
from pathlib import Path

from egonorm.core import Setting
from egonorm.runs.config import Run
from egonorm.runs.presets import demo


def small_run(kitchens: Path) -> Run:
    """A few steps on small kitchens, with narrow networks."""
    preset = demo()
    return Run(
        data=f"kitchens:{kitchens}",
        setting=Setting("dg1", ("D1",), "D2"),
        net=preset.net.widen(0.0625),
        optim=replace(preset.optim, steps=4, batch=4),
        evaluation=replace(preset.evaluation, every=2, keep=9, num_windows=2),
    )
