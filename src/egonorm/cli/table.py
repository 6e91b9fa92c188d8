"""The verb that reads runs: table."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from egonorm.aggregate.paper_comparison import against_paper
from egonorm.aggregate.table import TableFormat, render_table, summarise
from egonorm.core.text import say
from egonorm.runs.results import find_runs, parse_selector


@dataclass(frozen=True)
class Tabulate:
    """One table of runs: accuracies with intervals, norms and their differences."""

    runs: tyro.conf.Positional[Path]
    """The folder that was given to --out, or one run."""
    select: str = "last-mean:9"
    """Which checkpoints speak for a run: last-mean:K, last, best-on-source or oracle."""
    format: TableFormat = "text"
    """How to write it."""
    against: Literal["paper"] | None = None
    """Set the runs beside the numbers that the paper prints, in its order, instead of one line each."""

    def __call__(self) -> None:
        tabulate = summarise if self.against is None else against_paper
        table = tabulate(find_runs(self.runs), parse_selector(self.select), self.select)
        say(render_table(table, self.format))
        if self.format == "csv" and table.left_out:
            say(table.left_out, sys.stderr)
