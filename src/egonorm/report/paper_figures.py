"""Numbers that the paper's figures print and its tables do not (arXiv 2106.01689), and what our streams are called there."""

from collections.abc import Sequence

from egonorm.bench.paper import figure5
from egonorm.methods import Rna, SourceOnly
from egonorm.report.paper_numbers import DOMAINS
from egonorm.report.source import Pair

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
    return {system.modalities: system.name for system in figure5(modalities)[0].systems}


def is_papers(pairs: Sequence[Pair]) -> bool:
    """Whether the paper's numbers for domain generalisation may stand beside these: the same domains, none of them shown."""
    shifts = [pair.shift for pair in pairs]
    domains = {domain for shift in shifts for domain in (*shift.sources, shift.domain)}
    return domains <= set(DOMAINS) and all(shift.family in ("dg1", "dgn") for shift in shifts)
