"""Bars with their bars of error, and what stands at their sides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from egonorm.aggregate.aggregate import Average, average
from egonorm.core.types import Shift
from egonorm.report.data.paper import describe_unlike_paper, is_papers, stream_names
from egonorm.report.data.runs import Comparison, runs_of
from egonorm.report.style import INK, SIDES, Exhibit, Mark, column, short
from egonorm.runs.results import Runs
from egonorm.sweeps.paper import display_name

BAR_HEADER = ("series", "stream", "shift", "value", "low", "high", "error bar", "seeds", "n", "paper")


@dataclass(frozen=True)
class Bar:
    """One bar: an average over shifts, what each of them gives, and the paper's number."""

    average: Average
    by_shift: dict[Shift, Average]
    paper: float | None = None


@dataclass(frozen=True)
class ErrorBar:
    """From where to where a bar's error reaches, and what it is; at the bar's own end, and no words, where nothing is known."""

    low: float
    high: float
    kind: str

    @classmethod
    def of(cls, of: Average) -> "ErrorBar":
        """The deviation over seeds; of an accuracy with one seed the interval over test clips."""
        if of.deviation is not None:
            kind = f"standard deviation over {len(of.seeds)} seeds"
            return cls(of.mean - of.deviation, of.mean + of.deviation, kind)
        if of.interval is None:
            return cls(of.mean, of.mean, "")
        why = "one seed" if of.seeds else "no seed that all shifts have"
        return cls(*of.interval, f"95 % interval over the test clips (Wilson; {why})")


@dataclass(frozen=True)
class Series:
    """Bars of one kind, by group."""

    label: str
    mark: Mark
    bars: dict[str, Bar]


def make_bar(runs: Mapping[Shift, Runs], metric: str, paper: float | None) -> Bar | None:
    """The bar of a metric of some runs; None where none was measured so."""
    over_all = average(runs, metric)
    if over_all is None:
        return None
    alone = {shift: average({shift: runs[shift]}, metric) for shift in over_all.shifts}
    return Bar(over_all, {shift: one for shift, one in alone.items() if one is not None}, paper)


def draw_bars(groups: Sequence[str], series: Sequence[Series], ylabel: str) -> Figure:
    """The bars, in the groups' order."""
    series, room = [one for one in series if one.bars], max(0, 2 - len(groups)) / 2
    with column(3.7) as figure:
        axes = figure.subplots()
        step = 0.84 / len(series)
        for k, one in enumerate(series):
            for place, group in enumerate(groups):
                if group in one.bars:
                    _draw(axes, place - 0.42 + k * step, step, one.bars[group], one.mark)
        axes.set_xticks(range(len(groups)), [_label(group, 52 // len(groups)) for group in groups])
        axes.set(xlim=(-0.55 - room, len(groups) - 0.45 + room), ylabel=ylabel)
        axes.tick_params(axis="x", length=0)
        axes.grid(axis="y")
        axes.margins(y=0.1)
        handles: list[Artist] = [
            Patch(facecolor=one.mark.color, hatch=one.mark.hatch, edgecolor=INK, label=one.label) for one in series
        ]
        if any(bar.paper is not None for one in series for bar in one.bars.values()):
            handles.append(Line2D([], [], linestyle="", marker="D", markerfacecolor="none", color=INK, label="paper"))
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _label(group: str, most: int) -> str:
    """A group's name, a line for each stream where it is long."""
    return group if len(group) <= most else "+\n".join(short(name, most) for name in group.split("+"))


def _draw(axes: Axes, left: float, step: float, bar: Bar, mark: Mark) -> None:
    width, mean, error = 0.74 * step, bar.average.mean, ErrorBar.of(bar.average)
    middle = left + width / 2
    axes.bar(middle, mean, width, color=mark.color, hatch=mark.hatch, edgecolor=INK, linewidth=0.8)
    if error.high > error.low:
        ends = [[mean - error.low], [error.high - mean]]
        axes.errorbar(middle, mean, ends, color=INK, capsize=3, linewidth=1.2)
    axes.annotate(
        f"{mean:.1f}",
        (middle, max(error.high, mean)),
        (0, 2),
        textcoords="offset points",
        ha="center",
        va="bottom",
    )
    if bar.paper is not None:
        axes.plot(left + 0.88 * step, bar.paper, marker="D", markersize=6, markerfacecolor="none", color=INK)


def rows_of(groups: Sequence[str], series: Sequence[Series]) -> tuple[tuple[object, ...], ...]:
    """All numbers of the bars: the means that are drawn, and below each what the shifts give."""
    rows = []
    for group in groups:
        for one in series:
            if bar := one.bars.get(group):
                rows.append(_row(one.label, group, "mean", bar.average, bar.paper))
                rows += [_row(one.label, group, shift.title, of, None) for shift, of in bar.by_shift.items()]
    return tuple(rows)


def _row(label: str, group: str, shift: str, of: Average, paper: float | None) -> tuple[object, ...]:
    error = ErrorBar.of(of)
    numbers = (round(of.mean, 4), round(error.low, 4), round(error.high, 4))
    return (label, group, shift, *numbers, error.kind, " ".join(map(str, of.seeds)), of.n, paper)


def tell(groups: Sequence[str], series: Sequence[Series], unit: str = "%") -> str:
    """The drawn numbers in words."""
    return " ".join(
        _tell(group, [(one.label, one.bars[group]) for one in series if group in one.bars], unit) for group in groups
    )


def _tell(group: str, bars: Sequence[tuple[str, Bar]], unit: str) -> str:
    numbers = [
        f"{label} {bar.average.mean:.1f} {unit}{'' if bar.paper is None else f' (paper {bar.paper:.2f})'}"
        for label, bar in bars
    ]
    difference = f"; difference {bars[-1][1].average.mean - bars[0][1].average.mean:+z.1f}" if len(bars) == 2 else ""
    return f"{group}: {', '.join(numbers) or 'no runs'}{difference}."


def about(series: Sequence[Series], selection: str = "") -> str:
    """Over what the bars are means, and what their bars of error are."""
    words_of = {one.label: _over([bar.average for bar in one.bars.values()]) for one in series if one.bars}
    alike = len(set(words_of.values())) < 2
    over = (
        next(iter(words_of.values()), "")
        if alike
        else "; ".join(f"{label}: {words}" for label, words in words_of.items())
    )
    errors = dict.fromkeys(
        ErrorBar.of(bar.average).kind or "none (one seed)" for one in series for bar in one.bars.values()
    )
    chosen = f" Selection: {selection}." if selection else ""
    return f"Bars: mean over seeds, then over shifts ({over}).{chosen} Bars of error: {'; '.join(errors)}."


def _over(averages: Sequence[Average]) -> str:
    """The shifts of some averages, and their numbers of seeds and test clips."""
    shifts = dict.fromkeys(shift.title for of in averages for shift in of.shifts)
    seeds, clips = sorted({len(of.seeds) for of in averages}), sorted({of.n for of in averages})
    return f"{', '.join(shifts)}; {_some(seeds)} seed{'s' * (seeds != [1])}; {_some(clips)} test clips"


def _some(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


@dataclass(frozen=True)
class Question:
    """What is compared, and what the paper says of it."""

    name: str
    title: str
    ylabel: str
    paper: Mapping[str, Mapping[str, float]]
    """By stream and method."""
    about_paper: str
    missing: str
    """Why runs may have no such number, and what gives it."""
    about: str = ""


def compare_sides(comparisons: Sequence[Comparison], metrics: Mapping[str, str], question: Question) -> Exhibit:
    """Bars of some metrics, by the name of their group, for Source Only and the comparisons' method."""
    if not comparisons:
        return Exhibit(
            question.name,
            question.title,
            missing="There is no method with Source Only beside it on the same seeds. "
            "Train both: egonorm train … source-only, and egonorm train … METHOD.",
        )
    families = "-".join(dict.fromkeys(comparison.shift.family for comparison in comparisons))
    name = f"{question.name}-{families}-{comparisons[0].method}"
    title = f"{question.title}: {display_name(comparisons[0].method)} beside Source Only"
    series = _series(comparisons, metrics, question)
    groups = [group for group in metrics if any(group in one.bars for one in series)]
    if not groups:
        return Exhibit(name, title, missing=question.missing)
    records = [record for comparison in comparisons for some in comparison.sides.values() for record in some]
    has_paper = any(bar.paper is not None for one in series for bar in one.bars.values())
    caption = [
        question.about,
        about(series),
        *([question.about_paper, describe_unlike_paper(records)] if has_paper else []),
    ]
    figure = draw_bars(groups, series, question.ylabel)
    return Exhibit(
        name, title, figure, tell(groups, series), " ".join(filter(None, caption)), BAR_HEADER, rows_of(groups, series)
    )


def _series(comparisons: Sequence[Comparison], metrics: Mapping[str, str], question: Question) -> list[Series]:
    paper, series = question.paper if is_papers(comparisons) else {}, []
    for side, mark in zip(comparisons[0].sides, SIDES, strict=True):
        runs = runs_of(comparisons, side)
        bars = {group: make_bar(runs, metric, paper.get(group, {}).get(side)) for group, metric in metrics.items()}
        series.append(Series(display_name(side), mark, {group: bar for group, bar in bars.items() if bar}))
    return series


def metrics_of(comparisons: Sequence[Comparison], metric: str) -> dict[str, str]:
    """A metric of each stream, by the stream's name."""
    return {name: f"{metric}/{streams[0]}" for streams, name in names_of(comparisons).items() if len(streams) == 1}


def names_of(comparisons: Sequence[Comparison]) -> dict[tuple[str, ...], str]:
    """The streams of the comparisons' networks, each alone and all together, and what they are called."""
    streams = dict.fromkeys(name for comparison in comparisons for name in comparison.with_method[0].run.net.streams)
    return stream_names(tuple(streams))
