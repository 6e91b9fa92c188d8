"""Our runs against the numbers that the paper prints, as one table: a line a number, in the paper's order."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from egonorm.aggregate.aggregate import Aggregate, Aggregates, read_aggregates
from egonorm.aggregate.paper_systems import SystemRuns, find_system, shared_base, unlike_paper
from egonorm.aggregate.table import (
    Cell,
    Table,
    about_gains,
    about_runs,
    about_streams,
    average_cell,
    chance_cell,
    fused_mark,
    gain_cell,
    p_cell,
)
from egonorm.core import RunError
from egonorm.methods.base import unresolved
from egonorm.runs.config import Run
from egonorm.runs.results import Selector
from egonorm.sweeps.paper import ERRATUM, PAPER_DOMAINS, PAPER_MEAN, Reported, reported, shift_of, suites


@dataclass(frozen=True)
class PaperLine:
    """A number of the paper and the runs that stand against it."""

    key: tuple[str, str, str, str]
    """Table, heading, system and shift."""
    paper: Reported
    found: SystemRuns

    @property
    def ours(self) -> Aggregate | None:
        """Our number; None where there are not the runs for it."""
        return self.found.aggregate


def paper_lines(aggregates: Aggregates, base: Run) -> list[PaperLine]:
    """A line for each number, in the paper's order, whether there are runs or not."""
    parts = {
        (part.table, part.heading, system.name): (part, system)
        for part in suites(("rgb", "audio"))["paper.all"]
        for system in part.systems
    }
    lines = []
    for key, number in reported().items():
        part, system = parts[key[:3]]
        settings = [s for s in part.family(PAPER_DOMAINS) if key[3] in (PAPER_MEAN, shift_of(s))]
        lines.append(PaperLine(key, number, find_system(aggregates, base, system, settings)))
    return lines


def against_paper(folders: Iterable[Path], selector: Selector, selection: str) -> Table:
    """The table of the paper's numbers and the complete runs' own.

    Raises:
        RunError: when the runs are not one sweep, or none of them is of the paper's settings and systems.
    """
    aggregates, left_out = read_aggregates(folders, selector)
    records = aggregates.records
    base = shared_base(records)
    lines = paper_lines(aggregates, base)
    ours = [line.ours for line in lines if line.ours is not None]
    used = {record for line in lines for record in line.found.records}
    if not used:
        raise RunError(
            "No run belongs to the paper's comparison.",
            got=", ".join(sorted({str(r.setting) for r in records})),
            expected="systems of the paper in settings of D1, D2 and D3, such as dg1:D1:D2",
            remedy="For runs in other places give egonorm table without --against; the paper's are made by egonorm bench "
            "paper.table1 on places called D1, D2 and D3.",
        )
    others = Counter(unresolved(record.method).label() for record in records if record not in used)
    names = ", ".join(f"{name} ({number})" for name, number in sorted(others.items()))
    caption = [
        *_about(selection, base),
        *about_streams(ours),
        *about_gains(ours),
        *about_runs(ours, aggregates),
        *([f"Runs that the paper has no number for: {names}."] if others else []),
    ]
    return Table.of(_columns(lines), caption, left_out)


def _columns(lines: Sequence[PaperLine]) -> dict[str, list[str | Cell]]:
    table, heading, system, shift = (list(words) for words in zip(*(line.key for line in lines), strict=True))
    numbers = [line.ours.top1 if line.ours else None for line in lines]
    gains = [line.ours.gain if line.ours else None for line in lines]
    return {
        "table": table,
        "setting": heading,
        "system": system,
        "shift": shift,
        "paper": [Cell(line.paper.top1, ".2f", mark=ERRATUM if line.paper.erratum else "") for line in lines],
        "ours": [
            average_cell(number, ".2f", fused_mark(line.ours)) for number, line in zip(numbers, lines, strict=True)
        ],
        "ours - paper": [
            Cell(number.mean - line.paper.top1, "+z.2f") if number else ""
            for number, line in zip(numbers, lines, strict=True)
        ],
        "seeds": [str(len(number.seeds)) if number else "" for number in numbers],
        "n": [str(number.n) if number else "" for number in numbers],
        "chance": [chance_cell(line.ours) for line in lines],
        "gain": [gain_cell(gain) for gain in gains],
        "p": [p_cell(gain) for gain in gains],
        "remark": [_remark(line) for line in lines],
    }


def _remark(line: PaperLine) -> str:
    erratum = line.paper.erratum and f"{ERRATUM} {line.paper.erratum}"
    return "; ".join(words for words in (line.found.missing, _about_gain(line.ours), erratum) if words)


def _about_gain(ours: Aggregate | None) -> str:
    """Why there is no gain, or on which seeds it is where they are fewer than the number's."""
    if ours is None or ours.gain is None:
        return ""
    is_partial = ours.gain.test is not None and len(ours.gain.seeds) < len(ours.seeds)
    return f"gain on seeds {', '.join(map(str, ours.gain.seeds))}" if is_partial else ours.gain.missing


def _about(selection: str, base: Run) -> list[str]:
    unlike = ", ".join(unlike_paper(base))
    verdict = (
        f"Not the paper's: {unlike}. The numbers of the two cannot be compared; what can is which systems gain."
        if unlike
        else "Data, network, training and judgement are the paper's, as far as it tells them."
    )
    return [
        verdict,
        f"Selection: {selection}. Paper: top-1 in percent of arXiv 2106.01689, which gives neither seeds nor deviations; "
        f"{ERRATUM} see the remark. Ours: the mean over seeds, ± their standard deviation, in brackets the 95 % interval over "
        "the n clips (Wilson; for a mean the clips that shifts share count once).",
    ]
