"""The paper's comparison as a plan: which systems, in which settings, in which table (arXiv 2106.01689), and what it reports."""

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from egonorm.core.by_path import split_choice
from egonorm.core.types import Setting, Shift, multi_source, single_source, supervised, uda
from egonorm.methods import Method, Rna, SourceOnly
from egonorm.methods.ada_bn import AdaBn
from egonorm.methods.align_only import AlignOnly
from egonorm.methods.batch_norm import BatchNorm
from egonorm.methods.grl import Grl
from egonorm.methods.hna import Hna
from egonorm.methods.mm_sada import MmSada
from egonorm.methods.mmd import Mmd
from egonorm.methods.orth_only import OrthOnly
from egonorm.methods.rna_grl import RnaGrl
from egonorm.methods.ss import Ss
from egonorm.nets.net import Fusion

PAPER_DOMAINS = ("D1", "D2", "D3")
"""The paper's kitchens."""
PAPER_MEAN = "Mean"
"""The paper's word for the mean over a block's shifts."""
ERRATUM = "†"
"""Stands behind a number that contradicts another one of the paper."""


@dataclass(frozen=True)
class System:
    """A row of a table: a method in a network."""

    name: str
    """As the paper writes it."""
    method: Method
    fusion: Fusion = "sum"
    """Late fusion unless said otherwise, by the paper here or by the user for the whole suite."""
    modalities: tuple[str, ...] | None = None
    """Which streams; all that the data or the user names when None."""
    given: frozenset[str] = frozenset()
    """Options of the method that the user has given, so that no other run decides them."""


@dataclass(frozen=True)
class Part:
    """A block of a table: some systems in one family of settings."""

    table: str
    heading: str
    """The paper's word for the family."""
    family: Callable[[Iterable[str]], tuple[Setting, ...]]
    systems: tuple[System, ...]


SOURCE_ONLY = System("Source Only", SourceOnly())
_IN_DG = (
    System("Align. Only", AlignOnly()),
    System("Orth. Only", OrthOnly()),
    System("BatchNorm", BatchNorm()),
    System("SS", Ss()),
    System("RNA-Net", Rna()),
)
_IN_UDA = (
    System("SS Only", Ss()),
    System("Adversarial Only (GRL)", Grl()),
    System("MM-SADA", MmSada()),
    System("MMD", Mmd()),
    System("AdaBN", AdaBn()),
    System("RNA-Net", Rna()),
    System("RNA-Net+GRL", RnaGrl()),
)
_ABLATED = (
    System("Baseline", SourceOnly()),
    System("Fusion (mid-level)", SourceOnly(), "concat"),
    System("HNA", Hna()),
    System("RNA-Net Fusion", Rna(), "concat"),
    System("RNA-Net", Rna()),
)
_REFERENCE = Part("Table 1 (left)", "single-source DG", single_source, (SOURCE_ONLY,))
"""What the systems in UDA are tested against."""


def figure5(modalities: Iterable[str]) -> tuple[Part, ...]:
    """Each stream alone and all together, supervised and source only."""
    modalities = tuple(modalities)
    alone = tuple(System({"rgb": "RGB", "audio": "Audio"}.get(m, m), SourceOnly(), modalities=(m,)) for m in modalities)
    together = System("+".join(system.name for system in alone), SourceOnly(), modalities=modalities)
    systems = (*alone, *([together] if len(modalities) > 1 else []))
    return (
        Part("Figure 5", "supervised", supervised, systems),
        Part("Figure 5", "source-only", single_source, systems),
    )


def suites(modalities: Iterable[str]) -> dict[str, tuple[Part, ...]]:
    """Every suite by its name, for these modalities."""
    table1 = (
        Part("Table 1 (left)", "single-source DG", single_source, (SOURCE_ONLY, *_IN_DG)),
        Part("Table 1 (right)", "multi-source DG", multi_source, (System("Deep All", SourceOnly()), *_IN_DG)),
    )
    table2 = (_REFERENCE, Part("Table 2", "UDA", uda, _IN_UDA))
    table3 = (
        Part("Table 3", "Supervised", supervised, _ABLATED),
        Part("Table 3", "Single-DG", single_source, _ABLATED),
        Part("Table 3", "Multi-DG", multi_source, _ABLATED),
        Part("Table 3", "DA", uda, _ABLATED[2:]),
    )
    parts = {
        "paper.table1": table1,
        "paper.table2": table2,
        "paper.table3": table3,
        "paper.figure5": figure5(modalities),
    }
    return parts | {"paper.all": tuple(dict.fromkeys(part for several in parts.values() for part in several))}


SUITES = tuple(suites(("rgb", "audio")))
"""The suites' names."""


@dataclass(frozen=True)
class Reported:
    """A number of the paper: top-1 in percent, no seeds and no deviations given."""

    top1: float
    erratum: str
    """What is wrong with it inside the paper; empty if nothing is known."""


def reported() -> dict[tuple[str, str, str, str], Reported]:
    """The paper's numbers by table, heading, system and shift (`D1->D2`, `D1,D2->D3` or `Mean`)."""
    lines = csv.DictReader(files(__package__).joinpath("paper.csv").read_text(encoding="utf-8").splitlines())
    return {
        (line["table"], line["setting"], line["system"], line["shift"]): Reported(float(line["top1"]), line["erratum"])
        for line in lines
    }


def shift_of(setting: Setting) -> str:
    """How the paper writes a setting."""
    return f"{','.join(setting.sources)}->{setting.target}"


def are_papers(shifts: Iterable[Shift]) -> bool:
    """Whether shifts are between kitchens of the paper, by their names."""
    return {domain for shift in shifts for domain in (*shift.sources, shift.domain)} <= set(PAPER_DOMAINS)


def display_name(method: str) -> str:
    """A method's name as the paper writes it, with its options if it has some; its own name where the paper has none."""
    names = _papers_names()
    if method in names:
        return names[method]
    name, options = split_choice(method)
    said = ", ".join(f"{option} {value}" for option, value in options.items())
    return names.get(name, name) + (f" ({said})" if said else "")


@cache
def _papers_names() -> dict[str, str]:
    names: dict[str, str] = {}
    for part in suites(("rgb", "audio"))["paper.all"]:
        for system in part.systems:
            names.setdefault(system.method.name(), system.name)
    return names
