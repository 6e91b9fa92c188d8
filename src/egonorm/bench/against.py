"""Our runs against the numbers that the paper prints, as one table: a line a number, in the paper's order."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean, stdev

from egonorm.bench.cells import Cell, Table
from egonorm.bench.gains import ABOUT, count_tests, gain_cells, notes
from egonorm.bench.match import Sweep, as_sweep
from egonorm.bench.paper_lines import Line, paper_lines
from egonorm.bench.records import read_records
from egonorm.bench.select import Selector
from egonorm.core import RunError
from egonorm.metrics import mean_accuracy_interval

ERRATUM = "†"


def against_paper(folders: Iterable[Path], selector: Selector, selection: str) -> Table:
    """The table of the paper's numbers and the complete runs' own.

    Raises:
        RunError: when the runs are not one sweep, or none of them is of the paper's settings and systems.
    """
    records, left_out = read_records(folders, selector)
    sweep = as_sweep(records)
    lines = paper_lines(records, sweep)
    used = {record for line in lines for found in line.found for record in found.records}
    if not used:
        raise RunError("No run belongs to the paper's comparison.", got=", ".join(sorted({str(r.run.setting) for r in records})),
                       expected="systems of the paper in settings of D1, D2 and D3, such as dg1:D1:D2",
                       remedy="Make them with egonorm bench paper.table1, or leave out --against.")  # fmt: skip
    others = Counter(record.run.method.name() for record in records if record not in used)
    told = ", ".join(f"{name} ({number})" for name, number in sorted(others.items()))
    counted = [
        *([f"Runs that the paper has no number for: {told}."] if others else []),
        *([left_out] if left_out else []),
    ]
    return Table.of(_columns(lines), " ".join([*_about(selection, sweep), *_about_gains(lines), *counted]))


def _columns(lines: Sequence[Line]) -> dict[str, list[str | Cell]]:
    table, heading, system, shift = (list(words) for words in zip(*(line.key for line in lines), strict=True))
    ours = [_ours(line) for line in lines]
    gains = _gains(lines)
    return {
        "table": table,
        "setting": heading,
        "system": system,
        "shift": shift,
        "paper": [Cell(line.paper.top1, ".2f", mark=ERRATUM if line.paper.erratum else "") for line in lines],
        "ours": ours,
        "ours - paper": [
            Cell(cell.mean - line.paper.top1, "+z.2f") if isinstance(cell, Cell) else ""
            for cell, line in zip(ours, lines, strict=True)
        ],
        "seeds": ["" if line.missing else str(len(line.found[0].records)) for line in lines],
        "n": ["" if line.missing else str(_n(line)) for line in lines],
        "gain": [gain for gain, _ in gains],
        "p": [p for _, p in gains],
        "remark": [_remark(line) for line in lines],
    }


def _ours(line: Line) -> str | Cell:
    if line.missing:
        return ""
    places, targets = range(len(line.settings)), line.by_target().values()
    by_seed = [fmean(values) for values in zip(*map(line.top1, places), strict=True)]
    percents = [fmean(value for k in several for value in line.top1(k)) for several in targets]
    ns = [min(map(line.num_clips, several)) for several in targets]
    interval = mean_accuracy_interval(percents, ns, [len(several) / len(places) for several in targets])
    return Cell(fmean(by_seed), ".2f", stdev(by_seed) if len(by_seed) > 1 else None, interval)


def _n(line: Line) -> int:
    return sum(min(map(line.num_clips, several)) for several in line.by_target().values())


def _gains(lines: Sequence[Line]) -> list[tuple[str | Cell, str | Cell]]:
    cells = {
        line.key: cell
        for some in _families(lines).values()
        for line, cell in zip(some, gain_cells([line.comparison for line in some]), strict=True)
    }
    return [cells[line.key] for line in lines]


def _families(lines: Sequence[Line]) -> dict[tuple[str, str, str], list[Line]]:
    """The lines whose comparisons are corrected together."""
    families = defaultdict(list)
    for line in lines:
        families[line.family].append(line)
    return families


def _remark(line: Line) -> str:
    no_gain = line.comparison.missing if line.comparison else ""
    erratum = line.paper.erratum and f"{ERRATUM} {line.paper.erratum}"
    return "; ".join(words for words in (line.missing, no_gain, erratum) if words)


def _about(selection: str, sweep: Sweep) -> list[str]:
    unlike = ", ".join(sweep.unlike_paper())
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


def _about_gains(lines: Sequence[Line]) -> list[str]:
    counts = {family: count_tests([line.comparison for line in some]) for family, some in _families(lines).items()}
    numbers = {family: count for family, count in counts.items() if count}
    if not numbers:
        return []
    told = "; ".join(f"{' '.join(family)} {number}" for family, number in numbers.items())
    return [ABOUT, f"Comparisons corrected together: {told}.", *notes([line.comparison for line in lines])]
