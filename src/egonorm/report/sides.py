"""A metric of each stream as bars, without and with a method, averaged over shifts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from egonorm.report.bars import HEADER, Series, about, draw_bars, make_bar, rows_of, tell
from egonorm.report.exhibit import Exhibit
from egonorm.report.names import label_of
from egonorm.report.paper_figures import is_papers, stream_names
from egonorm.report.paper_numbers import unlike
from egonorm.report.source import Pair
from egonorm.report.style import SIDES


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
        return Exhibit(question.name, question.title, missing="There is no method with Source Only beside it on the same seeds. "
                       "Train both: egonorm train … source-only, and egonorm train … METHOD.")  # fmt: skip
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
    return Exhibit(name, title, figure, tell(groups, series), " ".join(filter(None, told)), HEADER,
                   rows_of(groups, series))  # fmt: skip


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
