"""Bars with their bars of error, and what stands at their sides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from egonorm.report.data.means import Mean, mean_over
from egonorm.report.data.paper import is_papers, stream_names, unlike
from egonorm.report.data.runs import Pair, Shift
from egonorm.report.figures.figure import Exhibit
from egonorm.report.style import INK, SIDES, Mark, column, label_of, short
from egonorm.runs.records import Record

HEADER = ("series", "stream", "shift", "value", "low", "high", "error bar", "seeds", "n", "paper")


@dataclass(frozen=True)
class Bar:
    """One bar: a mean over shifts, what each of them gives, and the paper's number."""

    mean: Mean
    by_shift: dict[Shift, Mean]
    paper: float | None = None


@dataclass(frozen=True)
class Series:
    """Bars of one kind, by group."""

    label: str
    mark: Mark
    bars: dict[str, Bar]


def make_bar(
    records: Mapping[Shift, Sequence[Record]], metric: str, paper: float | None, is_accuracy: bool = True
) -> Bar | None:
    """The bar of a metric of some runs; None where none was measured so."""
    mean = mean_over(records, metric, is_accuracy)
    if mean is None:
        return None
    return Bar(mean, {s: mean_over({s: records[s]}, metric, is_accuracy) for s in mean.shifts}, paper)


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
        handles = [
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
    width, mean = 0.74 * step, bar.mean
    middle = left + width / 2
    axes.bar(middle, mean.value, width, color=mark.color, hatch=mark.hatch, edgecolor=INK, linewidth=0.8)
    if mean.high > mean.low:
        ends = [[mean.value - mean.low], [mean.high - mean.value]]
        axes.errorbar(middle, mean.value, ends, color=INK, capsize=3, linewidth=1.2)
    axes.annotate(
        f"{mean.value:.1f}",
        (middle, max(mean.high, mean.value)),
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
                rows.append(_row(one.label, group, "mean", bar.mean, bar.paper))
                rows += [_row(one.label, group, shift.title, mean, None) for shift, mean in bar.by_shift.items()]
    return tuple(rows)


def _row(label: str, group: str, shift: str, mean: Mean, paper: float | None) -> tuple[object, ...]:
    numbers = (round(mean.value, 4), round(mean.low, 4), round(mean.high, 4))
    return (label, group, shift, *numbers, mean.error, " ".join(map(str, mean.seeds)), mean.n, paper)


def tell(groups: Sequence[str], series: Sequence[Series], unit: str = "%") -> str:
    """The drawn numbers in words."""
    return " ".join(
        _tell(group, [(one.label, one.bars[group]) for one in series if group in one.bars], unit) for group in groups
    )


def _tell(group: str, bars: Sequence[tuple[str, Bar]], unit: str) -> str:
    told = [
        f"{label} {bar.mean.value:.1f} {unit}{'' if bar.paper is None else f' (paper {bar.paper:.2f})'}"
        for label, bar in bars
    ]
    difference = f"; difference {bars[-1][1].mean.value - bars[0][1].mean.value:+z.1f}" if len(bars) == 2 else ""
    return f"{group}: {', '.join(told) or 'no runs'}{difference}."


def about(series: Sequence[Series], selection: str = "") -> str:
    """Over what the bars are means, and what their bars of error are."""
    told = {one.label: _over([bar.mean for bar in one.bars.values()]) for one in series if one.bars}
    alike = len(set(told.values())) < 2
    over = next(iter(told.values()), "") if alike else "; ".join(f"{label}: {words}" for label, words in told.items())
    errors = dict.fromkeys(bar.mean.error or "none (one seed)" for one in series for bar in one.bars.values())
    chosen = f" Selection: {selection}." if selection else ""
    return f"Bars: mean over seeds, then over shifts ({over}).{chosen} Bars of error: {'; '.join(errors)}."


def _over(means: Sequence[Mean]) -> str:
    """The shifts of some means, and their numbers of seeds and test clips."""
    shifts = dict.fromkeys(shift.title for mean in means for shift in mean.shifts)
    seeds, clips = sorted({len(mean.seeds) for mean in means}), sorted({mean.n for mean in means})
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
    is_accuracy: bool = True


def compare_sides(pairs: Sequence[Pair], metrics: Mapping[str, str], question: Question) -> Exhibit:
    """Bars of some metrics, by the name of their group, for Source Only and the pairs' method."""
    if not pairs:
        return Exhibit(
            question.name,
            question.title,
            missing="There is no method with Source Only beside it on the same seeds. "
            "Train both: egonorm train … source-only, and egonorm train … METHOD.",
        )
    families = "-".join(dict.fromkeys(pair.shift.family for pair in pairs))
    name = f"{question.name}-{families}-{pairs[0].method}"
    title = f"{question.title}: {label_of(pairs[0].method)} beside Source Only"
    series = _series(pairs, metrics, question)
    groups = [group for group in metrics if any(group in one.bars for one in series)]
    if not groups:
        return Exhibit(name, title, missing=question.missing)
    records = [record for pair in pairs for some in pair.sides.values() for record in some]
    has_paper = any(bar.paper is not None for one in series for bar in one.bars.values())
    told = [question.about, about(series), *([question.about_paper, unlike(records)] if has_paper else [])]
    figure = draw_bars(groups, series, question.ylabel)
    return Exhibit(
        name, title, figure, tell(groups, series), " ".join(filter(None, told)), HEADER, rows_of(groups, series)
    )


def _series(pairs: Sequence[Pair], metrics: Mapping[str, str], question: Question) -> list[Series]:
    paper, series = question.paper if is_papers(pairs) else {}, []
    for side, mark in zip(pairs[0].sides, SIDES, strict=True):
        records = {pair.shift: pair.sides[side] for pair in pairs}
        bars = {
            group: make_bar(records, metric, paper.get(group, {}).get(side), question.is_accuracy)
            for group, metric in metrics.items()
        }
        series.append(Series(label_of(side), mark, {group: bar for group, bar in bars.items() if bar}))
    return series


def metrics_of(pairs: Sequence[Pair], metric: str) -> dict[str, str]:
    """A metric of each stream, by the stream's name."""
    return {name: f"{metric}/{streams[0]}" for streams, name in names_of(pairs).items() if len(streams) == 1}


def names_of(pairs: Sequence[Pair]) -> dict[tuple[str, ...], str]:
    """The streams of the pairs' networks, each alone and all together, and what they are called."""
    streams = dict.fromkeys(name for pair in pairs for name in pair.with_method[0].run.net.streams)
    return stream_names(tuple(streams))
