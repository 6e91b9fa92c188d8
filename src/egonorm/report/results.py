"""The result at a glance: methods by shifts, how sure each number is, what was gained, and which is best."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from egonorm.bench.evidence import Comparison
from egonorm.metrics import holm
from egonorm.report.entries import Average, Entry, Shifts, contest, find_entries, find_shifts, reference_of
from egonorm.report.exhibit import csv_of
from egonorm.report.outline import Grid, GridCell
from egonorm.report.paper_numbers import paper_number, unlike_paper
from egonorm.report.source import Source
from egonorm.report.summary import LEVEL


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
    p: float | None
    """Of the gain, corrected."""
    paper: str
    mark: str


def results(source: Source, family: str) -> Grid:
    """The grid of a family: top-1 of the fused scores, its gain over Source Only, and the paper's number."""
    entries, columns = find_entries(source, family), find_columns(source, family)
    numbers = {}
    for which in ([c for c in columns if len(c.shifts) == 1], [c for c in columns if len(c.shifts) > 1]):
        numbers |= _numbers(source, entries, which)
    rows = [
        (GridCell(entry.label), *(_cell(numbers.get((entry.label, column.title))) for column in columns))
        for entry in entries
    ]
    header = ("method", *(column.title for column in columns))
    return Grid(f"results-{family}", "Top-1 accuracy, fused, in percent", header, tuple(rows),
                _caption(source, numbers.values()), _csv(entries, columns, numbers))  # fmt: skip


def find_columns(source: Source, family: str) -> tuple[Column, ...]:
    """A column a shift, and where there are several their mean."""
    shifts = find_shifts(source, family)
    mean = (Column("mean", shifts),) if len(shifts) > 1 else ()
    return (*(Column(shift.title, (shift,)) for shift in shifts), *mean)


def _numbers(source: Source, entries: Sequence[Entry], columns: Sequence[Column]) -> dict[tuple[str, str], Number]:
    """The numbers of some columns, whose comparisons with Source Only are corrected together."""
    there = [(entry, column) for column in columns for entry in entries if entry.seeds(column.shifts)]
    gains = {}
    for entry, column in there:
        reference = reference_of(entry, entries)
        gains[entry, column] = reference and contest(source, entry, reference, column.shifts)
    tested = [key for key, gain in gains.items() if gain and gain.test]
    ps = dict(zip(tested, holm([gains[key].test.p for key in tested]), strict=True))
    marks = {column: _marks(source, [e for e, c in there if c is column], column) for column in columns}
    return {
        (entry.label, column.title): Number(
            entry.average(column.shifts),
            gains[entry, column],
            ps.get((entry, column)),
            paper_number(entry.run, column.shifts),
            marks[column].get(entry, ""),
        )
        for entry, column in there
    }


def _marks(source: Source, entries: Sequence[Entry], column: Column) -> dict[Entry, str]:
    """The best entry of a column, and those that a paired test does not tell from it."""
    if len(entries) < 2:
        return {}
    best = max(entries, key=lambda entry: entry.average(column.shifts).mean)
    against = {entry: contest(source, best, entry, column.shifts) for entry in entries if entry is not best}
    tested = {entry: found.test.p for entry, found in against.items() if found and found.test}
    corrected = dict(zip(tested, holm(list(tested.values())), strict=True))
    return {best: "best"} | {entry: "tied" for entry, p in corrected.items() if p > LEVEL}


def _cell(number: Number | None) -> GridCell:
    if number is None:
        return GridCell("")
    average = number.average
    spread = "" if average.spread is None else f" ± {average.spread:.1f}"
    lines = [f"[{average.interval[0]:.0f}, {average.interval[1]:.0f}]"]
    if number.gain and number.gain.test:
        low, high = (100 * end for end in number.gain.test.interval())
        lines.append(f"gain {100 * number.gain.test.mean:+.1f} [{low:+.1f}, {high:+.1f}], p {number.p:.2g}")
    elif number.gain:
        lines.append(f"no gain: {number.gain.missing}")
    if number.paper:
        lines.append(f"paper {number.paper}")
    return GridCell(f"{average.mean:.1f}{spread}", average.mean, tuple(lines), number.mark)


def _caption(source: Source, numbers: Iterable[Number]) -> str:
    seeds = sorted({gain.num_seeds for n in numbers if n.gain and (gain := n.gain.test)})
    alone = (
        " With one seed, interval and p are over new clips alone, and say nothing of another seed."
        if 1 in seeds
        else ""
    )
    return " ".join([
        f"Selection: {source.selection}. After ± the standard deviation over seeds; in brackets the 95 % interval over the test "
        "clips (Wilson). gain: minus Source Only with the same seeds on the same clips, its 95 % interval over new seeds and new "
        f"clips, and p of the two-way paired test after Holm's correction (all shifts of this table together).{alone}",
        f"“Not told from the best”: the same test against the best of the column, p > {LEVEL:g} after Holm.",
        *unlike_paper(source.records),
    ])  # fmt: skip


def _csv(entries: Sequence[Entry], columns: Sequence[Column], numbers: Mapping[tuple[str, str], Number]) -> str:
    places = [(entry, column) for entry in entries for column in columns if (entry.label, column.title) in numbers]
    return csv_of(_NAMES, [_line(entry, column, numbers[entry.label, column.title]) for entry, column in places])


_NAMES = ("method", "shift", "top1", "sd over seeds", "low", "high", "n", "seeds", "gain", "gain low", "gain high", "p",
          "paper", "mark")  # fmt: skip


def _line(entry: Entry, column: Column, number: Number) -> tuple[object, ...]:
    average, test = number.average, number.gain and number.gain.test
    gain = (100 * test.mean, *(100 * end for end in test.interval()), number.p) if test else (None,) * 4
    return (entry.label, column.title, average.mean, average.spread, *average.interval, average.n,
            " ".join(map(str, entry.seeds(column.shifts))), *gain, number.paper, number.mark)  # fmt: skip
