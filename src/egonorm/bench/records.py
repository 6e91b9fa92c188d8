"""Complete runs as tables see them: the configuration, the rows, and the checkpoints that speak for the run."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean

from egonorm.bench.config import Run, read_run
from egonorm.bench.select import Selector
from egonorm.bench.table import COMPLETE, Row, read_rows
from egonorm.core import RunError


@dataclass(frozen=True, eq=False)
class Record:
    """A complete run."""

    folder: Path
    run: Run
    rows: tuple[Row, ...]
    """Its measurements, without the row that says that it is complete."""
    steps: tuple[int, ...]
    """The checkpoints that were selected."""

    @cached_property
    def measured(self) -> dict[str, dict[str, tuple[float, int]]]:
        """Per domain and metric: the mean over the selected checkpoints, and on how many clips it was measured."""
        values, chosen = defaultdict(lambda: defaultdict(list)), set(self.steps)
        for row in self.rows:
            if row.step in chosen:
                values[row.domain][row.metric].append((row.value, row.n))
        mean = lambda found: (fmean(value for value, _ in found), found[0][1])  # noqa: E731
        return {domain: {metric: mean(found) for metric, found in of.items()} for domain, of in values.items()}

    @cached_property
    def variant(self) -> str:
        """Eight digits that differ for any other configuration, whatever the seed."""
        return replace(self.run, seed=0).name.rpartition("-")[2]


def read_records(folders: Iterable[Path], selector: Selector) -> tuple[tuple[Record, ...], int]:
    """The complete runs, and how many others there are. RunError when none is complete."""
    folders = tuple(folders)
    rows = {folder: read_rows(folder) for folder in folders}
    whole = [folder for folder in folders if rows[folder] and rows[folder][-1].metric == COMPLETE]
    if not whole:
        raise RunError("There is no complete run to tabulate.", got=f"{len(folders)} unfinished", expected="a complete run",
                       remedy=f"Finish one: egonorm train --resume {folders[0]}")  # fmt: skip
    records = (_record(folder, rows[folder], selector) for folder in whole)
    return tuple(records), len(folders) - len(whole)


def _record(folder: Path, rows: tuple[Row, ...], selector: Selector) -> Record:
    measurements = tuple(row for row in rows if row.metric != COMPLETE)
    return Record(folder, read_run(folder), measurements, selector(measurements))
