"""Figure 5: each stream trained alone and all together, where the kitchen is known and where it is new."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from egonorm.aggregate.aggregate import RunGroup
from egonorm.core.types import Shift
from egonorm.methods import SourceOnly
from egonorm.report.data.paper import describe_unlike_paper, stream_names
from egonorm.report.data.runs import ReportData
from egonorm.report.figures.bars import BAR_HEADER, Series, about, draw_bars, make_bar, rows_of, tell
from egonorm.report.style import SIDES, THIRD, Exhibit
from egonorm.runs.config import Stream, to_json
from egonorm.runs.results import Runs
from egonorm.sweeps.paper import PAPER_MEAN, are_papers, reported

NAME, TITLE = (
    "single-and-multiple",
    "One stream or several, in the kitchen that was learnt (supervised) and in a new one",
)
HEADINGS = {"supervised": ("supervised", THIRD), "source-only": ("dg1", SIDES[0])}
"""The paper's words for two families of settings, and how each is drawn."""
StreamRuns = dict[tuple[str, ...], dict[Shift, Runs]]
"""Runs by the streams of their network, and by shift."""


def single_and_multiple(data: ReportData) -> Exhibit:
    """Top-1 of networks of one stream and of all, as bars; what was not trained is left out and named."""
    groups = _alike(data.aggregates.groups)
    if not groups:
        return Exhibit(
            NAME,
            TITLE,
            missing="There is no Source Only run in a setting of supervised or dg1. "
            "Train them: egonorm bench paper.figure5.",
        )
    names = stream_names(tuple(dict.fromkeys(name for group in groups for name in group.run.net.streams)))
    found = {heading: _find(groups, family, names) for heading, (family, _) in HEADINGS.items()}
    series = [_series(heading, found[heading], names) for heading in HEADINGS]
    places = [name for name in names.values() if any(name in one.bars for one in series)]
    if not places:
        return Exhibit(
            NAME,
            TITLE,
            missing="The streams were trained for different shifts, and their means cannot be compared. "
            "Train the others: egonorm bench paper.figure5.",
        )
    if sum(len(one.bars) for one in series) < 2:
        return Exhibit(
            NAME,
            TITLE,
            missing="There are Source Only runs of one kind alone, and nothing to compare them with. "
            "Train each stream alone and all together, supervised too: egonorm bench paper.figure5.",
        )
    caption = [
        "Separate runs for each stream (--modalities) and for all. supervised: on test clips of the domain that was learnt.",
        about(series, data.selection),
    ]
    missing = [f"{name} ({one.label})" for one in series for name in names.values() if name not in one.bars]
    caption += [f"Not there: {', '.join(missing)}; egonorm bench paper.figure5 trains them."] if missing else []
    if any(bar.paper is not None for one in series for bar in one.bars.values()):
        caption += [
            "Open marks: the paper's Figure 5, means over all shifts of D1, D2 and D3 (Table 3 has 59.76 where it has "
            "59.40, and 40.93 where it has 41.87).",
            describe_unlike_paper(data.records),
        ]
    figure = draw_bars(places, series, "Top-1 accuracy, %")
    return Exhibit(NAME, TITLE, figure, tell(places, series), " ".join(caption), BAR_HEADER, rows_of(places, series))


def _alike(groups: Iterable[RunGroup]) -> list[RunGroup]:
    """Source Only where it differs in streams alone, in the kind of network with most runs; that with most streams first."""
    families, kinds = {family for family, _ in HEADINGS.values()}, defaultdict(list)
    streams: dict[str, Stream] = {}
    for group in groups:
        if group.configured == SourceOnly() and any(shift.family in families for shift in group.by_shift):
            kinds[to_json(replace(group.run, net=replace(group.run.net, streams={})))].append(group)
    size = lambda kind: (sum(len(group.records) for group in kind), kind[0].run.net.fusion == "sum")  # noqa: E731
    ordered = sorted(max(kinds.values(), key=size, default=[]), key=lambda group: -len(group.run.net.streams))
    return [g for g in ordered if all(streams.setdefault(name, s) == s for name, s in g.run.net.streams.items())]


def _find(groups: Iterable[RunGroup], family: str, names: dict[tuple[str, ...], str]) -> StreamRuns:
    """The runs of a family, on the shifts that all of its streams were trained for."""
    found = {
        streams: runs
        for group in groups
        if (streams := tuple(group.run.net.streams)) in names and (runs := _in_family(group, family))
    }
    shared = [shift for shift in next(iter(found.values()), {}) if all(shift in of for of in found.values())]
    return {streams: {shift: of[shift] for shift in shared} for streams, of in found.items()} if shared else {}


def _in_family(group: RunGroup, family: str) -> dict[Shift, Runs]:
    """What runs say of a family. On its source's own test clips, Source Only is supervised whatever it was trained for."""
    if family != "supervised":
        return {shift: runs for shift, runs in group.by_shift.items() if shift.family == family and shift.is_unseen}
    sources = dict.fromkeys(shift.sources for shift in group.by_shift if len(shift.sources) == 1)
    own = {Shift(family, one, *one, *one): group.trained_on(one, *one) for one in sources}
    return {shift: runs for shift, runs in own.items() if runs}


def _series(heading: str, found: StreamRuns, names: dict[tuple[str, ...], str]) -> Series:
    bars = {}
    for streams, runs in found.items():
        number = reported().get(("Figure 5", heading, names[streams], PAPER_MEAN))
        bars[names[streams]] = make_bar(runs, "top1", number.top1 if number and are_papers(runs) else None)
    return Series(heading, HEADINGS[heading][1], {name: bar for name, bar in bars.items() if bar})
