"""Complete runs as tables see them: the configuration, the rows, and the checkpoints that speak for the run."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean

from egonorm.core import RunError
from egonorm.runs.config import Run, read_run
from egonorm.runs.results import COMPLETE, Row, read_rows
from egonorm.runs.selection import Selector


@dataclass(frozen=True, eq=False)
class Record:
    """A complete run."""

    folder: Path
    run: Run
    steps: tuple[int, ...]
    """The checkpoints that were selected."""
    measured: Mapping[str, Mapping[str, tuple[float, int]]]
    """Per domain and metric: the mean over the selected checkpoints, and on how many clips it was measured."""
    top1: Mapping[str, Mapping[int, float]]
    """Per domain: the accuracy of every checkpoint, by its step."""

    @classmethod
    def of(cls, folder: Path, run: Run, rows: Sequence[Row], steps: tuple[int, ...]) -> "Record":
        """The record of a run's rows, of which only what is measured is kept."""
        values: dict[str, dict[str, list[tuple[float, int]]]] = defaultdict(lambda: defaultdict(list))
        top1: dict[str, dict[int, float]] = defaultdict(dict)
        chosen = set(steps)
        for row in rows:
            if row.step in chosen:
                values[row.domain][row.metric].append((row.value, row.n))
            if row.metric == "top1":
                top1[row.domain][row.step] = row.value
        mean = lambda found: (fmean([value for value, _ in found]), found[0][1])  # noqa: E731
        measured = {domain: {metric: mean(found) for metric, found in of.items()} for domain, of in values.items()}
        return cls(folder, run, steps, measured, dict(top1))

    @cached_property
    def variant(self) -> str:
        """Eight digits that differ for any other configuration, whatever the seed."""
        return replace(self.run, seed=0).name.rpartition("-")[2]


Runs = Mapping[int, Record]
"""Runs that differ in nothing but the seed, by it and in its order."""


def read_records(folders: Iterable[Path], selector: Selector) -> tuple[tuple[Record, ...], str]:
    """The complete runs, and a sentence about the others; empty if there are none. RunError when none is complete."""
    folders, records, unfinished = tuple(folders), [], 0
    unreadable: dict[str, RunError] = {}
    alike: dict[str, Run] = {}
    for folder in folders:
        try:
            run, rows = read_run(folder, alike), read_rows(folder)
        except RunError as error:
            unreadable[folder.name] = error
            continue
        if rows and rows[-1].metric == COMPLETE:
            measurements = [row for row in rows if row.metric != COMPLETE]
            records.append(Record.of(folder, run, measurements, selector(rows)))
        else:
            unfinished += 1
    if not records and unreadable:
        raise next(iter(unreadable.values()))
    if not records:
        raise RunError(
            "There is no complete run to tabulate.",
            got=f"{len(folders)} unfinished",
            expected="a complete run",
            remedy=f"Finish one: egonorm train --resume {folders[0]}",
        )
    sentences = [f"Unfinished runs left out: {unfinished}."] if unfinished else []
    sentences += [f"Left out, for it cannot be read: {name} ({error.got})." for name, error in unreadable.items()]
    return tuple(records), " ".join(sentences)
