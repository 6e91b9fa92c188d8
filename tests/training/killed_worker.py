"""A training that kills itself with SIGKILL at a chosen moment, as a power cut would."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from egonorm.cli import main
from egonorm.runs import presets, run
from egonorm.training.engine import Objective


def checkpoint_often() -> None:
    """Change the demo's preset: a checkpoint every two steps, the last three kept, one window a test clip."""
    usual = presets.demo()
    often = replace(usual, evaluation=replace(usual.evaluation, every=2, keep=3, num_windows=1))
    presets.PRESETS["demo"] = lambda: often
    run.SPARE = 0.0


def die(*_, **__):
    """Leave without any chance to clean up."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(moment: str) -> None:
    """Replace what happens at the moment by the kill."""
    if moment == "step":
        forward, calls = Objective.forward, []

        def forward_then_die(self, *arguments):
            calls.append(1)
            return die() if len(calls) == 6 else forward(self, *arguments)

        Objective.forward = forward_then_die
    if moment == "write":  # half of the second checkpoint's network is in its temporary file
        opened, calls = Path.open, []

        def open_then_die(self, mode="r", **options):
            if self.name.startswith(".000004.safetensors."):
                with opened(self, mode, **options) as file:
                    file.write(b"half")
                    file.flush()
                    die()
            return opened(self, mode, **options)

        Path.open = open_then_die
    if moment == "between":  # the second network is written, the state that names it is not
        renamed = Path.replace

        def replace_then_die(self, target):
            if self.name.startswith(".state.safetensors.") and (self.parent / "000004.safetensors").exists():
                die()
            return renamed(self, target)

        Path.replace = replace_then_die


if __name__ == "__main__":
    checkpoint_often()
    arm(sys.argv[1])
    main(sys.argv[2:])
