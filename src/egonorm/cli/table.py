"""The verb that reads runs: table."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from egonorm.bench.against import against_paper
from egonorm.bench.formats import Format, render
from egonorm.bench.select import parse_selector
from egonorm.bench.summary import summarise
from egonorm.bench.table import find_runs


@dataclass(frozen=True)
class Tabulate:
    """One table of runs: accuracies with intervals, norms and their differences."""

    runs: tyro.conf.Positional[Path]
    """The folder that was given to --out, or one run."""
    select: str = "last-mean:9"
    """Which checkpoints speak for a run: last-mean:K, last, best-on-source or oracle."""
    format: Format = "text"
    """How to write it."""
    against: Literal["paper"] | None = None
    """Set the runs beside the numbers that the paper prints, in its order, instead of one line each."""

    def __call__(self) -> None:
        tabulate = summarise if self.against is None else against_paper
        print(render(tabulate(find_runs(self.runs), parse_selector(self.select), self.select), self.format))
