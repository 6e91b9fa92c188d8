"""Figure 5: each stream trained alone and all together, where the kitchen is known and where it is new."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from egonorm.methods import SourceOnly
from egonorm.report.data.paper import DOMAINS, stream_names, unlike
from egonorm.report.data.runs import Shift, Source
from egonorm.report.figures.bars import HEADER, Series, about, draw_bars, make_bar, rows_of, tell
from egonorm.report.figures.figure import Exhibit
from egonorm.report.style import SIDES, THIRD
from egonorm.runs.config import ANYWHERE
from egonorm.runs.records import Record
from egonorm.sweeps.paper import reported

NAME, TITLE = (
    "single-and-multiple",
    "One stream or several, in the kitchen that was learnt (supervised) and in a new one",
)
HEADINGS = {"supervised": ("supervised", THIRD), "source-only": ("dg1", SIDES[0])}
"""The paper's words for two families of settings, and how each is drawn."""
Found = dict[tuple[str, ...], dict[Shift, list[Record]]]
"""Runs by streams and shift."""


def single_and_multiple(source: Source) -> Exhibit:
    """Top-1 of networks of one stream and of all, as bars; what was not trained is left out and named."""
    records = _alike(source.records)
    if not records:
        return Exhibit(
            NAME,
            TITLE,
            missing="There is no Source Only run in a setting of supervised or dg1. "
            "Train them: egonorm bench paper.figure5.",
        )
    names = stream_names(tuple(dict.fromkeys(name for record in records for name in record.run.net.streams)))
    found = {heading: _find(records, family, names) for heading, (family, _) in HEADINGS.items()}
    series = [_series(heading, found[heading], names) for heading in HEADINGS]
    groups = [name for name in names.values() if any(name in one.bars for one in series)]
    if not groups:
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
    told = [
        "Separate runs for each stream (--modalities) and for all. supervised: on test clips of the domain that was learnt.",
        about(series, source.selection),
    ]
    missing = [f"{name} ({one.label})" for one in series for name in names.values() if name not in one.bars]
    told += [f"Not there: {', '.join(missing)}; egonorm bench paper.figure5 trains them."] if missing else []
    if any(bar.paper is not None for one in series for bar in one.bars.values()):
        told += [
            "Open marks: the paper's Figure 5, means over all shifts of D1, D2 and D3 (Table 3 has 59.76 where it has "
            "59.40, and 40.93 where it has 41.87).",
            unlike(records),
        ]
    figure = draw_bars(groups, series, "Top-1 accuracy, %")
    return Exhibit(NAME, TITLE, figure, tell(groups, series), " ".join(told), HEADER, rows_of(groups, series))


def _alike(records: Iterable[Record]) -> list[Record]:
    """The Source Only runs of both families that differ in streams, setting and seed alone; those with most streams first."""
    families, kinds, streams = {family for family, _ in HEADINGS.values()}, defaultdict(list), {}
    for record in records:
        run = record.run
        if run.method == SourceOnly() and run.setting.family in families and run.setting.target in record.measured:
            kind = replace(run, setting=ANYWHERE, seed=0, net=replace(run.net, streams={}))
            kinds[kind.net.fusion == "sum", kind.name].append(record)
    most = max(kinds, key=lambda kind: (len(kinds[kind]), kind[0]), default=None)
    ordered = sorted(kinds.get(most, []), key=lambda record: -len(record.run.net.streams))
    return [r for r in ordered if all(streams.setdefault(name, s) == s for name, s in r.run.net.streams.items())]


def _find(records: Iterable[Record], family: str, names: dict[tuple[str, ...], str]) -> Found:
    """The runs of a family, on the shifts that all of its streams were trained for."""
    found = defaultdict(lambda: defaultdict(list))
    for record in records:
        streams = tuple(record.run.net.streams)
        for shift in _shifts(record, family) if streams in names else ():
            found[streams][shift].append(record)
    shared = [shift for shift in next(iter(found.values()), {}) if all(shift in of for of in found.values())]
    return {streams: {shift: of[shift] for shift in shared} for streams, of in found.items()} if shared else {}


def _shifts(record: Record, family: str) -> list[Shift]:
    """What a run says of a family. On its source's own test clips, Source Only is supervised whatever it was trained for."""
    setting = record.run.setting
    if family == "supervised":
        own = (setting.sources[0],) if len(setting.sources) == 1 else ()
        return [Shift(family, own, domain, domain) for domain in own if domain in record.measured]
    judged = record.measured if setting.family == family else ()
    return [Shift.of(setting, domain) for domain in judged if domain not in setting.sources]


def _series(heading: str, found: Found, names: dict[tuple[str, ...], str]) -> Series:
    bars = {}
    for streams, records in found.items():
        number = reported().get(("Figure 5", heading, names[streams], "Mean"))
        domains = {domain for shift in records for domain in (*shift.sources, shift.domain)}
        paper = number.top1 if number and domains <= set(DOMAINS) else None
        bars[names[streams]] = make_bar(records, "top1", paper)
    return Series(heading, HEADINGS[heading][1], {name: bar for name, bar in bars.items() if bar})
