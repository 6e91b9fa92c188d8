"""The result at a glance: methods by shifts, how sure each number is, what was gained, and which is best."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from egonorm.aggregate.aggregate import Aggregate, RunGroup, label_groups, same_seeds
from egonorm.aggregate.paired import Gain, PairedRuns, describe_families, match_seeds
from egonorm.aggregate.table import BELOW_STREAM, DEAD, about_streams
from egonorm.core.types import Shift
from egonorm.methods import SourceOnly
from egonorm.methods.base import unresolved
from egonorm.metrics import holm
from egonorm.report.data.runs import ReportData
from egonorm.report.page.model import Grid, GridCell
from egonorm.sweeps.paper import (
    ERRATUM,
    PAPER_DOMAINS,
    PAPER_MEAN,
    Part,
    System,
    are_papers,
    display_name,
    reported,
    shift_of,
    suites,
)

LEVEL = 0.05
"""Above it, a difference is not told from chance."""


@dataclass(frozen=True)
class Column:
    """Shifts whose accuracies are averaged: one, or all of a family."""

    title: str
    shifts: tuple[Shift, ...]


@dataclass(frozen=True)
class ResultCell:
    """What stands in a cell of the table of results."""

    aggregate: Aggregate
    paper: str
    """The paper's number; empty where it has none."""
    mark: str


@dataclass(frozen=True, eq=False)
class Results:
    """The numbers of a family of settings."""

    rows: Mapping[RunGroup, str]
    """A line for each configuration, Source Only first, and its label; where the family has no Source Only, that of another
    family stands there."""
    columns: tuple[Column, ...]
    """One a shift, and where there are several their mean."""
    cells: Mapping[tuple[RunGroup, Column], ResultCell]
    """Row by row; none where a configuration has not all runs of a column."""

    @property
    def has_paper(self) -> bool:
        """Whether a number of the paper stands beside one of ours."""
        return any(cell.paper for cell in self.cells.values())

    def gain(self, group: RunGroup, shifts: Iterable[Shift]) -> Gain | None:
        """The gain of a configuration over shifts that a column has; None without one."""
        found = (
            cell for (row, column), cell in self.cells.items() if row is group and set(column.shifts) == set(shifts)
        )
        return next((cell.aggregate.gain for cell in found), None)


def find_results(data: ReportData, family: str) -> Results:
    """The numbers of a family, from the aggregates of all runs."""
    columns, rows = _columns(data, family), _rows(data, family)
    found = {column: {row: one for row in rows if (one := _aggregate(data, row, column))} for column in columns}
    marks = {column: _marks(data, of_column) for column, of_column in found.items()}
    cells = {
        (row, column): ResultCell(one, paper_number(one), marks[column].get(row, ""))
        for row in rows
        for column in columns
        if (one := found[column].get(row))
    }
    return Results(rows, columns, cells)


def results(data: ReportData, family: str, found: Results) -> Grid:
    """The grid of a family: top-1 of the fused scores, its gain over Source Only, and the paper's number."""
    rows = [
        (GridCell(label), *(_cell(found.cells.get((row, column)), column) for column in found.columns))
        for row, label in found.rows.items()
        if any((row, column) in found.cells for column in found.columns)
    ]
    return Grid(
        f"results-{family}",
        "Top-1 accuracy, fused, in percent",
        ("method", *(column.title for column in found.columns)),
        tuple(rows),
        _caption(data, found.cells.values()),
        _numbers(found),
    )


def _columns(data: ReportData, family: str) -> tuple[Column, ...]:
    single = [Column(shift.title, (shift,)) for shift in data.aggregates.shifts(family)]
    official = data.aggregates.official_shifts(family)
    return (*single, *([Column("mean", official)] if len(official) > 1 else []))


def _rows(data: ReportData, family: str) -> dict[RunGroup, str]:
    groups, references = data.aggregates.groups, data.aggregates.references
    own = [group for group in groups if any(shift.family == family for shift in group.by_shift)]
    beside = {references[group] for group in own}
    chosen = [group for group in groups if group in own or group in beside]
    labels = [
        f"{display_name(method)} ({differences})" if differences else display_name(method)
        for method, differences in label_groups(chosen)
    ]
    rows = sorted(zip(chosen, labels, strict=True), key=lambda row: data.methods.index(row[0].method))
    return dict(rows)


def _aggregate(data: ReportData, group: RunGroup, column: Column) -> Aggregate | None:
    """A configuration's aggregate in a column; Source Only's is that of another family where this one has no such runs."""
    one = len(column.shifts) == 1
    own = data.aggregates.of(group, *column.shifts) if one else data.aggregates.mean(group, column.shifts)
    if own or group.configured != SourceOnly():
        return own
    alike = {shift: group.trained_on(shift.sources, shift.domain) for shift in column.shifts}
    found = same_seeds(alike, column.shifts)
    return Aggregate(group, found) if found else None


def _marks(data: ReportData, aggregates: Mapping[RunGroup, Aggregate]) -> dict[RunGroup, str]:
    """The best of a column, and those that a paired test does not tell from it."""
    means = {row: one.top1.mean for row, one in aggregates.items() if one.top1}
    if len(means) < 2:
        return {}
    best = max(means, key=means.__getitem__)
    pairs = {row: match_seeds(aggregates[best].runs, one.runs) for row, one in aggregates.items() if row is not best}
    gains = {row: data.aggregates.compare(pair) for row, pair in pairs.items() if isinstance(pair, PairedRuns)}
    tested = {row: gain.test.p for row, gain in gains.items() if gain.test}
    corrected = dict(zip(tested, holm(list(tested.values())), strict=True))
    equal = {row: "best" for row in means if means[row] == means[best]}
    return {row: "tied" for row, p in corrected.items() if p > LEVEL} | equal


def _cell(cell: ResultCell | None, column: Column) -> GridCell:
    if cell is None:
        return GridCell("", lines=("not all shifts with the same seeds",) if len(column.shifts) > 1 else ())
    top1 = cell.aggregate.top1
    assert top1 is not None and top1.interval is not None
    deviation = "" if top1.deviation is None else f" ± {top1.deviation:.1f}"
    lines = [f"[{top1.interval[0]:.0f}, {top1.interval[1]:.0f}]", *_gain(cell.aggregate.gain)]
    lines += _held_against(cell.aggregate)
    if cell.paper:
        lines.append(f"paper {cell.paper}")
    return GridCell(f"{top1.mean:.1f}{deviation}", top1.mean, tuple(lines), cell.mark)


def _held_against(aggregate: Aggregate) -> list[str]:
    """Chance, a single stream that is better, and streams that are dead."""
    lines = [] if aggregate.chance is None else [f"chance {aggregate.chance:.1f}"]
    if aggregate.better_stream:
        name, mean = aggregate.better_stream
        lines.append(f"{BELOW_STREAM} loses to {name} alone, {mean:.1f}")
    if dead := _dead(aggregate):
        lines.append(f"{DEAD} dead, or at chance: {', '.join(dead)}")
    return lines


def _dead(aggregate: Aggregate) -> list[str]:
    return list(dict.fromkeys(modality for modality, _ in aggregate.dead))


def _gain(gain: Gain | None) -> list[str]:
    """The gain and its p, and on which seeds and clips if not on all."""
    if gain is None:
        return []
    if gain.test is None:
        return [f"no gain: {gain.missing}"]
    low, high = gain.interval
    lines = [f"gain {gain.mean:+z.1f} [{low:+z.1f}, {high:+z.1f}], p {gain.p:.2g}"]
    seeds = [f"on seeds {', '.join(map(str, gain.seeds))}"] if gain.unmatched else []
    clips = [f"without {gain.left_out} clips that not all were judged on"] if gain.left_out else []
    return lines + ([f"({'; '.join(seeds + clips)})"] if seeds or clips else [])


_ABOUT_GAINS = (
    "gain: minus Source Only with the same seeds on the same clips, its 95 % interval over new seeds and new clips, and p of the "
    "two-way paired test after Holm's correction, over all comparisons of the family in the folder (shifts and means apart): {}."
)


def _caption(data: ReportData, cells: Iterable[ResultCell]) -> str:
    cells = tuple(cells)
    gains = [cell.aggregate.gain for cell in cells if cell.aggregate.gain and cell.aggregate.gain.test]
    sentences = [
        f"Selection: {data.selection}. After ± the standard deviation over seeds; in brackets the 95 % interval over the "
        "test clips (Wilson)."
    ]
    sentences += about_streams(cell.aggregate for cell in cells)
    if gains:
        sentences.append(_ABOUT_GAINS.format(describe_families(gains)))
    if any(gain.test and gain.test.num_seeds == 1 for gain in gains):
        sentences.append("With one seed, interval and p are over new clips alone, and say nothing of another seed.")
    if any(cell.mark == "tied" for cell in cells):
        sentences.append(
            f"“Not told from the best”: the same test against the best of the column, p > {LEVEL:g} after Holm."
        )
    papers = [cell.paper for cell in cells if cell.paper]
    if papers:
        sentences.append("paper: top-1 of arXiv 2106.01689, which gives neither seeds nor deviations.")
    if any(ERRATUM in paper for paper in papers):
        sentences.append(f"{ERRATUM} contradicts another number of the paper (see the end of this page).")
    return " ".join(sentences)


def paper_number(aggregate: Aggregate) -> str:
    """Top-1 in percent as the paper prints it for one shift, or for the mean over all of a block's; empty where it does not."""
    shifts, stored = aggregate.shifts, aggregate.records[0].stored
    if not are_papers(shifts):
        return ""
    shift = PAPER_MEAN if len(shifts) > 1 else f"{','.join(shifts[0].sources)}->{shifts[0].domain}"
    own = unresolved(aggregate.group.configured), stored.fusion, stored.modalities
    for part, system in _places(stored.modalities):
        settings = part.family(PAPER_DOMAINS)
        wanted = [s for s in settings if shift in (PAPER_MEAN, shift_of(s))]
        complete = {(s.sources, s.target) for s in wanted} == {(s.sources, s.domain) for s in shifts}
        number = reported().get((part.table, part.heading, system.name, shift))
        is_system = own == (system.method, system.fusion, system.modalities or ("rgb", "audio"))
        if number and complete and settings[0].family == stored.setting.family and is_system:
            return f"{number.top1:.2f}{ERRATUM if number.erratum else ''}"
    return ""


@cache
def _places(modalities: tuple[str, ...]) -> tuple[tuple[Part, System], ...]:
    return tuple((part, system) for part in suites(modalities)["paper.all"] for system in part.systems)


_NAMES = (
    *("method", "shift", "top1", "sd over seeds", "low", "high", "n", "seeds"),
    *("gain", "gain low", "gain high", "p", "gain seeds", "clips left out", "paper", "mark"),
    *("chance", "better stream", "dead streams"),
)


def _numbers(found: Results) -> tuple[tuple[object, ...], ...]:
    return _NAMES, *(_line(found.rows[row], column.title, cell) for (row, column), cell in found.cells.items())


def _line(label: str, title: str, cell: ResultCell) -> tuple[object, ...]:
    top1, gain = cell.aggregate.top1, cell.aggregate.gain
    assert top1 is not None and top1.interval is not None
    tested: tuple[object, ...] = (None,) * 6
    if gain is not None and gain.test is not None:
        tested = (gain.mean, *gain.interval, gain.p, _join(gain.seeds), gain.left_out)
    seeds = _join(cell.aggregate.seeds)
    better = cell.aggregate.better_stream
    beside = cell.aggregate.chance, better and better[0], " ".join(_dead(cell.aggregate))
    return (
        label,
        title,
        top1.mean,
        top1.deviation,
        *top1.interval,
        top1.n,
        seeds,
        *tested,
        cell.paper,
        cell.mark,
        *beside,
    )


def _join(seeds: Iterable[int]) -> str:
    return " ".join(map(str, seeds))
