"""The paper's numbers beside ours, as bars and as lines of a table."""

from collections.abc import Iterable, Sequence
from functools import cache

from egonorm.aggregate.aggregate import Aggregate, plain
from egonorm.aggregate.paper_comparison import PAPER_MEAN
from egonorm.aggregate.paper_systems import ERRATUM, PAPER_DOMAINS, shared_base, unlike_paper
from egonorm.core import RunError
from egonorm.core.types import Shift
from egonorm.methods import Rna, SourceOnly
from egonorm.report.data.runs import Comparison
from egonorm.runs.config import Run
from egonorm.runs.results import Record
from egonorm.sweeps.paper import Part, System, figure5, reported, shift_of, suites


def paper_number(aggregate: Aggregate) -> str:
    """Top-1 in percent as the paper prints it for one shift, or for the mean over all of a block's; empty where it does not."""
    shifts, run = aggregate.shifts, aggregate.records[0].run
    if not is_on_papers_domains(shifts):
        return ""
    shift = PAPER_MEAN if len(shifts) > 1 else f"{','.join(shifts[0].sources)}->{shifts[0].domain}"
    for part, system in _places(tuple(run.net.streams)):
        settings = part.family(PAPER_DOMAINS)
        wanted = [s for s in settings if shift in (PAPER_MEAN, shift_of(s))]
        complete = {(s.sources, s.target) for s in wanted} == {(s.sources, s.domain) for s in shifts}
        number = reported().get((part.table, part.heading, system.name, shift))
        if number and complete and settings[0].family == run.setting.family and _is(aggregate.group.run, system):
            return f"{number.top1:.2f}{ERRATUM if number.erratum else ''}"
    return ""


def is_on_papers_domains(shifts: Iterable[Shift]) -> bool:
    """Whether these shifts are between kitchens of the paper, by their names."""
    return {domain for shift in shifts for domain in (*shift.sources, shift.domain)} <= set(PAPER_DOMAINS)


def sentences_on_paper(records: Sequence[Record], has_errata: bool) -> list[str]:
    """Sentences about how far ours can be compared with the paper's numbers."""
    errata = f"{ERRATUM} contradicts another number of the paper (see the end of this page)."
    return [
        "paper: top-1 of arXiv 2106.01689, which gives neither seeds nor deviations.",
        describe_unlike_paper(records),
        *([errata] if has_errata else []),
    ]


def describe_unlike_paper(records: Sequence[Record]) -> str:
    """A sentence on whether the paper's numbers can be compared with these runs'."""
    try:
        different = ", ".join(unlike_paper(shared_base(records)))
    except RunError:
        different = "runs of several kinds"
    if not different:
        return "Data, network, training and judgement are the paper's, as far as it tells them."
    return f"Not the paper's: {different}; sizes cannot be compared, directions can."


def errata() -> tuple[tuple[str, str], ...]:
    """What is wrong with numbers inside the paper: where, and what."""
    found: dict[str, list[str]] = {}
    for (table, _, system, shift), number in reported().items():
        if number.erratum:
            found.setdefault(f"{table}, {system}: {number.erratum}", []).append(shift)
    return tuple(
        (place.partition(": ")[0], f"{', '.join(shifts)}: {place.partition(': ')[2]}")
        for place, shifts in found.items()
    )


@cache
def _places(modalities: tuple[str, ...]) -> tuple[tuple[Part, System], ...]:
    parts: Iterable[Part] = suites(modalities)["paper.all"]
    return tuple((part, system) for part in parts for system in part.systems)


def _is(run: Run, system: System) -> bool:
    """Whether a configuration is of this system; a system without modalities of its own has the paper's two."""
    own = (plain(run).method, run.net.fusion, tuple(run.net.streams))
    return own == (system.method, system.fusion, system.modalities or ("rgb", "audio"))


FIGURE_7A = {
    "RGB": {SourceOnly.name(): 19.73, Rna.name(): 34.80},
    "Audio": {SourceOnly.name(): 34.98, Rna.name(): 38.69},
    "RGB+Audio": {SourceOnly.name(): 40.03, Rna.name(): 46.32},
}
"""Top-1 in percent of the streams of the fused network, without and with RNA."""
FIGURE_7B = {
    "RGB": {SourceOnly.name(): 63.35, Rna.name(): 61.57},
    "Audio": {SourceOnly.name(): 72.01, Rna.name(): 87.75},
}
"""Share of the norm in the 300 largest numbers, in percent; which is whose is inferred from the bars' order and the prose."""


def stream_names(modalities: Sequence[str]) -> dict[tuple[str, ...], str]:
    """What each stream alone and all together are called, as in the paper's Figure 5."""
    return {system.modalities: system.name for system in figure5(modalities)[0].systems if system.modalities}


def is_papers(comparisons: Sequence[Comparison]) -> bool:
    """Whether the paper's numbers for domain generalisation may stand beside these: the same domains, none of them shown."""
    shifts = [comparison.shift for comparison in comparisons]
    return is_on_papers_domains(shifts) and all(shift.family in ("dg1", "dgn") for shift in shifts)
