"""Our runs against the numbers that the paper prints, as one table: a line a number, in the paper's order."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import fmean, stdev

from egonorm.aggregate.cells import ABOUT, Cell, Table, count_tests, gain_cells, notes
from egonorm.aggregate.group import NO_RUN, Found, Sweep, as_sweep
from egonorm.aggregate.paired import (
    Comparison,
    HitReader,
    References,
    compare,
    find_references,
    oppose,
    read_hits,
    reference_key,
)
from egonorm.core import RunError, Setting
from egonorm.methods import SourceOnly
from egonorm.metrics import mean_accuracy_interval
from egonorm.runs.records import Record, read_records
from egonorm.runs.selection import Selector
from egonorm.sweeps.paper import Reported, reported, shift_of, suites

DOMAINS = ("D1", "D2", "D3")
"""The paper's kitchens."""
MEAN = "Mean"
"""The shift of a number that is the mean over all shifts of its block."""


@dataclass(frozen=True)
class Line:
    """A number of the paper and the runs that stand against it."""

    key: tuple[str, str, str, str]
    """Table, heading, system and shift."""
    paper: Reported
    settings: tuple[Setting, ...]
    """One, or all that a mean is taken over."""
    found: tuple[Found, ...]
    """The runs in each setting."""
    missing: str
    """Why they give no number; empty if they do."""
    comparison: Comparison | None
    """With Source Only; None for Source Only itself, and without a number."""

    @property
    def family(self) -> tuple[str, str, str]:
        """Which comparisons are corrected together: a block's means, and apart from them its shifts."""
        return *self.key[:2], "means" if self.key[3] == MEAN else "shifts"

    def by_target(self) -> dict[str, list[int]]:
        """The places of the settings with each target; they share its clips."""
        targets = [setting.target for setting in self.settings]
        return {target: [k for k, other in enumerate(targets) if other == target] for target in targets}

    def top1(self, place: int) -> list[float]:
        """The accuracy of each seed in a setting."""
        target = self.settings[place].target
        return [record.measured[target]["top1"][0] for record in self.found[place].records]

    def num_clips(self, place: int) -> int:
        """The test clips that every seed was judged on in a setting; fewer than there are where broken ones were left out."""
        target = self.settings[place].target
        return min(record.measured[target]["top1"][1] for record in self.found[place].records)


def paper_lines(records: Sequence[Record], sweep: Sweep) -> list[Line]:
    """A line for each number, in the paper's order, whether there are runs or not."""
    references, read = find_references(records), cache(read_hits)
    parts = {
        (part.table, part.heading, system.name): (part, system)
        for part in suites(("rgb", "audio"))["paper.all"]
        for system in part.systems
    }
    lines = []
    for key, number in reported().items():
        part, system = parts[key[:3]]
        settings = tuple(s for s in part.family(DOMAINS) if key[3] in (MEAN, shift_of(s)))
        found = tuple(sweep.find(system, setting) for setting in settings)
        missing = _missing(found)
        comparison = None if missing else _comparison(settings, found, sweep, references, read)
        lines.append(Line(key, number, settings, found, missing, comparison))
    return lines


def _missing(found: Sequence[Found]) -> str:
    """Why the runs of these settings give no number: a mean needs all settings, with the same seeds."""
    there = [some for some in found if some.records]
    reasons = sorted({some.missing for some in found} - {"", NO_RUN})
    if 0 < len(there) < len(found):
        return "; ".join([f"{len(there)} of {len(found)} shifts", *reasons])
    if not there:
        return "; ".join(reasons) or NO_RUN
    return "seeds differ" if len({some.seeds for some in found}) > 1 else ""


def _comparison(
    settings: Sequence[Setting], found: Sequence[Found], sweep: Sweep, references: References, read: HitReader
) -> Comparison | None:
    """With Source Only in the whole network and late fusion; None for those runs themselves."""
    run = found[0].records[0].run
    if run.method == SourceOnly() and run.net == sweep.base.net:
        return None
    contests = []
    for setting, some in zip(settings, found, strict=True):
        key = reference_key(replace(some.records[0].run, net=sweep.base.net))
        contest = oppose(some.records, references.get(key, {}), setting.target)
        if isinstance(contest, str):
            return Comparison(None, contest)
        contests.append(contest)
    return compare(contests, read)


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
        raise RunError(
            "No run belongs to the paper's comparison.",
            got=", ".join(sorted({str(r.run.setting) for r in records})),
            expected="systems of the paper in settings of D1, D2 and D3, such as dg1:D1:D2",
            remedy="Make them with egonorm bench paper.table1, or leave out --against.",
        )
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
