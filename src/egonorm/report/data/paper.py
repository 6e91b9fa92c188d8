"""What stands on the page of the paper beside ours: how far it can be compared, its errata, and the numbers of its Figure 7."""

from collections.abc import Sequence

from egonorm.aggregate.paper_systems import shared_base, unlike_paper
from egonorm.core import RunError
from egonorm.methods import Rna, SourceOnly
from egonorm.report.data.runs import Comparison
from egonorm.runs.results import Record
from egonorm.sweeps.paper import are_papers, figure5, reported


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
    return are_papers(shifts) and all(shift.family in ("dg1", "dgn") for shift in shifts)
