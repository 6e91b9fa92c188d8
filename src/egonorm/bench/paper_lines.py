"""The paper's numbers, each with the runs that stand against it and what they prove against Source Only."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from egonorm.bench.evidence import (
    Comparison,
    HitReader,
    References,
    compare,
    find_references,
    oppose,
    read_hits,
    reference_key,
)
from egonorm.bench.match import NO_RUN, Found, Sweep
from egonorm.bench.paper import Reported, reported, shift_of, suites
from egonorm.bench.records import Record
from egonorm.core import Setting
from egonorm.methods import SourceOnly

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
    parts = {(part.table, part.heading, system.name): (part, system)
             for part in suites(("rgb", "audio"))["paper.all"] for system in part.systems}  # fmt: skip
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


def _comparison(settings: Sequence[Setting], found: Sequence[Found], sweep: Sweep,
                references: References, read: HitReader) -> Comparison | None:  # fmt: skip
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
