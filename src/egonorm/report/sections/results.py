"""The result at a glance: methods by shifts, how sure each number is, what was gained, and which is best."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from egonorm.aggregate.paired import Comparison
from egonorm.metrics import holm
from egonorm.report.data.entries import (
    Average,
    Entry,
    Shifts,
    contest,
    find_entries,
    find_shifts,
    reference_of,
    shared_seeds,
)
from egonorm.report.data.paper import ERRATUM, paper_number, unlike_paper
from egonorm.report.data.runs import Source
from egonorm.report.figures.figure import csv_of
from egonorm.report.page.model import Grid, GridCell

LEVEL = 0.05
"""Above it, a difference is not told from chance."""
MEAN = "mean"


@dataclass(frozen=True)
class Column:
    """Shifts whose accuracies are averaged: one, or all of a family."""

    title: str
    shifts: Shifts


@dataclass(frozen=True)
class Number:
    """What stands in a cell."""

    average: Average
    gain: Comparison | None
    """Over Source Only."""
    seeds: tuple[int, ...]
    """Those that the gain is of, where they are not all that Source Only and the method have."""
    p: float | None
    """Of the gain, corrected."""
    paper: str
    mark: str


Numbers = Mapping[tuple[Entry, Column], Number]


def results(source: Source, family: str, numbers: Numbers) -> Grid:
    """The grid of a family: top-1 of the fused scores, its gain over Source Only, and the paper's number."""
    columns, entries = find_columns(source, family), tuple(dict.fromkeys(entry for entry, _ in numbers))
    rows = [
        (GridCell(entry.label), *(_cell(numbers.get((entry, column)), column) for column in columns))
        for entry in entries
    ]
    header = ("method", *(column.title for column in columns))
    return Grid(
        f"results-{family}",
        "Top-1 accuracy, fused, in percent",
        header,
        tuple(rows),
        _caption(source, numbers.values()),
        _csv(numbers),
    )


def find_numbers(source: Source, family: str) -> Numbers:
    """The numbers of a family, entry by entry; a column's place is empty where an entry has not all of its runs."""
    entries, columns, numbers = find_entries(source, family), find_columns(source, family), {}
    for which in ([c for c in columns if c.title != MEAN], [c for c in columns if c.title == MEAN]):
        numbers |= _numbers(source, entries, which)
    return {
        (entry, column): numbers[entry, column] for entry in entries for column in columns if (entry, column) in numbers
    }


def find_columns(source: Source, family: str) -> tuple[Column, ...]:
    """A column a shift, and where there are several their mean."""
    shifts = find_shifts(source, family)
    official = tuple(shift for shift in shifts if shift.is_official)
    mean = (Column(MEAN, official),) if len(official) > 1 else ()
    return (*(Column(shift.title, (shift,)) for shift in shifts), *mean)


def _numbers(source: Source, entries: Sequence[Entry], columns: Sequence[Column]) -> Numbers:
    """The numbers of some columns, whose comparisons with Source Only are corrected together."""
    there = [(entry, column) for column in columns for entry in entries if entry.seeds(column.shifts)]
    references = {entry: reference_of(entry, entries) for entry in entries}
    gains = {(e, c): (other := references[e]) and contest(source, e, other, c.shifts) for e, c in there}
    tested = [key for key, gain in gains.items() if gain and gain.test]
    ps = dict(zip(tested, holm([gains[key].test.p for key in tested]), strict=True))
    marks = {column: _marks(source, [e for e, c in there if c is column], column) for column in columns}
    return {
        (entry, column): Number(
            entry.average(column.shifts),
            gains[entry, column],
            _seeds(entry, references[entry], column.shifts),
            ps.get((entry, column)),
            paper_number(entry.run, column.shifts),
            marks[column].get(entry, ""),
        )
        for entry, column in there
    }


def _seeds(entry: Entry, reference: Entry | None, shifts: Shifts) -> tuple[int, ...]:
    """The seeds of the gain, if one of the two has others."""
    shared = shared_seeds(entry, reference, shifts) if reference else ()
    alike = not reference or entry.seeds(shifts) == reference.seeds(shifts)
    return () if alike else shared


def _marks(source: Source, entries: Sequence[Entry], column: Column) -> dict[Entry, str]:
    """The best entry of a column, and those that a paired test does not tell from it."""
    if len(entries) < 2:
        return {}
    means = {entry: entry.average(column.shifts).mean for entry in entries}
    best = max(entries, key=means.__getitem__)
    against = {entry: contest(source, best, entry, column.shifts) for entry in entries if entry is not best}
    tested = {entry: found.test.p for entry, found in against.items() if found.test}
    corrected = dict(zip(tested, holm(list(tested.values())), strict=True))
    equal = {entry: "best" for entry in entries if means[entry] == means[best]}
    return {entry: "tied" for entry, p in corrected.items() if p > LEVEL} | equal


def _cell(number: Number | None, column: Column) -> GridCell:
    if number is None:
        return GridCell("", lines=("not all shifts with the same seeds",) if column.title == MEAN else ())
    average = number.average
    spread = "" if average.spread is None else f" ± {average.spread:.1f}"
    lines = [f"[{average.interval[0]:.0f}, {average.interval[1]:.0f}]", *_gain(number)]
    if number.paper:
        lines.append(f"paper {number.paper}")
    return GridCell(f"{average.mean:.1f}{spread}", average.mean, tuple(lines), number.mark)


def _gain(number: Number) -> list[str]:
    """The gain and its p, and on which seeds and clips if not on all."""
    if number.gain is None:
        return []
    if number.gain.test is None:
        return [f"no gain: {number.gain.missing}"]
    low, high = (100 * end for end in number.gain.test.interval())
    lines = [f"gain {100 * number.gain.test.mean:+z.1f} [{low:+z.1f}, {high:+z.1f}], p {number.p:.2g}"]
    seeds = [f"on seeds {', '.join(map(str, number.seeds))}"] if number.seeds else []
    clips = [f"without {number.gain.left_out} clips that not all were judged on"] if number.gain.left_out else []
    return lines + ([f"({'; '.join(seeds + clips)})"] if seeds or clips else [])


_ABOUT_GAINS = (
    "gain: minus Source Only with the same seeds on the same clips, its 95 % interval over new seeds and new clips, and p of the "
    "two-way paired test after Holm's correction (all shifts of this table together, the means by themselves)."
)


def _caption(source: Source, numbers: Iterable[Number]) -> str:
    numbers = tuple(numbers)
    tests = [number.gain.test for number in numbers if number.gain and number.gain.test]
    told = [
        f"Selection: {source.selection}. After ± the standard deviation over seeds; in brackets the 95 % interval over the "
        "test clips (Wilson)."
    ]
    if tests:
        told.append(_ABOUT_GAINS)
    if any(test.num_seeds == 1 for test in tests):
        told.append("With one seed, interval and p are over new clips alone, and say nothing of another seed.")
    if any(number.mark == "tied" for number in numbers):
        told.append(
            f"“Not told from the best”: the same test against the best of the column, p > {LEVEL:g} after Holm."
        )
    papers = [number.paper for number in numbers if number.paper]
    return " ".join(
        [*told, *(unlike_paper(source.records, any(ERRATUM in paper for paper in papers)) if papers else [])]
    )


def _csv(numbers: Numbers) -> str:
    return csv_of(_NAMES, [_line(entry, column, number) for (entry, column), number in numbers.items()])


_NAMES = (
    *("method", "shift", "top1", "sd over seeds", "low", "high", "n", "seeds"),
    *("gain", "gain low", "gain high", "p", "gain seeds", "clips left out", "paper", "mark"),
)


def _line(entry: Entry, column: Column, number: Number) -> tuple[object, ...]:
    average, test, seeds = number.average, number.gain and number.gain.test, entry.seeds(column.shifts)
    gain = (None,) * 6
    if test:
        ends = (100 * end for end in test.interval())
        gain = (100 * test.mean, *ends, number.p, _told(number.seeds or seeds), number.gain.left_out)
    return (
        entry.label,
        column.title,
        average.mean,
        average.spread,
        *average.interval,
        average.n,
        _told(seeds),
        *gain,
        number.paper,
        number.mark,
    )


def _told(seeds: tuple[int, ...]) -> str:
    return " ".join(map(str, seeds))
