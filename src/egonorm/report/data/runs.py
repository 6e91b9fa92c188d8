"""What a page is made of: complete runs with their aggregates, and beside a method's runs those of Source Only."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from egonorm.aggregate.aggregate import Aggregate, Aggregates, RunGroup, read_aggregates
from egonorm.aggregate.paired import PairedRuns, match_seeds
from egonorm.core import RunError
from egonorm.core.types import Shift
from egonorm.methods import SourceOnly
from egonorm.runs.predictions import Predicted, read_predicted
from egonorm.runs.results import Record, Runs, Selector

REFERENCE = SourceOnly.name()


@dataclass(frozen=True, eq=False)
class Comparison:
    """Runs of a method and runs of Source Only with the same seeds, in the same order, judged on the same domain."""

    shift: Shift
    group: RunGroup
    """The method's configuration."""
    without: tuple[Record, ...]
    """Source Only."""
    with_method: tuple[Record, ...]

    @property
    def method(self) -> str:
        """The method's name."""
        return self.group.method

    @property
    def name(self) -> str:
        """For names of files."""
        shift = self.shift
        seen = ("seen", shift.target) if shift.is_unseen and not shift.is_official else ()
        parts = (shift.family, *shift.sources, shift.domain, *seen, self.method)
        return "-".join(part.replace("%", "%25").replace("-", "%2D") for part in parts[:-1]) + f"-{self.method}"

    @property
    def sides(self) -> dict[str, tuple[Record, ...]]:
        """The runs by method, Source Only first."""
        return {REFERENCE: self.without, self.method: self.with_method}


def runs_of(comparisons: Iterable[Comparison], method: str) -> dict[Shift, Runs]:
    """One side's runs by shift, for averages over them."""
    return {one.shift: {record.seed: record for record in one.sides[method]} for one in comparisons}


def chance_of(comparisons: Sequence[Comparison]) -> float | None:
    """The accuracy of one answer for all clips, averaged as in the table of results; None where it is not known."""
    return Aggregate(comparisons[0].group, runs_of(comparisons, comparisons[0].method)).chance


@dataclass(frozen=True, eq=False)
class ReportData:
    """All that a page reads."""

    aggregates: Aggregates
    """The numbers of the runs; what cannot be compared has no gain, and says why."""
    selection: str
    notes: tuple[str, ...] = ()
    """What was left out and why, a sentence each."""
    broken: dict[str, str] = field(default_factory=dict)
    """Predictions that could not be read, and why; it grows as they are asked for."""
    _read: dict[tuple[Path, str], Predicted | None] = field(default_factory=dict, repr=False)

    @property
    def records(self) -> tuple[Record, ...]:
        """The runs."""
        return self.aggregates.records

    def predicted(self, record: Record, domain: str) -> Predicted | None:
        """A run's predictions on a domain, read once; None where they are not there, or cannot be read."""
        key = record.folder, domain
        if key not in self._read:
            try:
                self._read[key] = read_predicted(record, domain)
            except RunError as error:
                self.broken[error.what], self._read[key] = error.got, None
        return self._read[key]

    def comparisons(self, method: str) -> tuple[Comparison, ...]:
        """The method's runs beside Source Only's, for every shift, in the records' order.

        Domains that a run was trained on are among them, as shifts that are not unseen. Of several configurations of the
        method in one shift, the first is taken.
        """
        found = {}
        for aggregate in self.aggregates.in_shifts():
            shift, reference = aggregate.shifts[0], self.aggregates.references[aggregate.group]
            if aggregate.group.method != method or method == REFERENCE or reference is None or shift in found:
                continue
            opposite = {shift: reference.trained_on(shift.sources, shift.domain)}
            if isinstance(paired := match_seeds(aggregate.runs, opposite), PairedRuns):
                found[shift] = Comparison(shift, aggregate.group, paired.references[shift], paired.runs[shift])
        return tuple(found.values())

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that there are runs of, Source Only first."""
        names = dict.fromkeys(group.method for group in self.aggregates.groups)
        return tuple(sorted(names, key=lambda name: (name != REFERENCE, name != "rna")))

    @property
    def families(self) -> tuple[str, ...]:
        """The families of settings; the supervised one, which bounds the others, comes last."""
        order = ("dg1", "dgn", "uda", "tta", "supervised")
        found = {record.setting.family for record in self.records}
        return tuple(sorted(found, key=lambda family: order.index(family) if family in order else len(order)))


def read_report_data(folders: Iterable[Path], selector: Selector, selection: str) -> ReportData:
    """The complete runs among the folders, and in words what could not be used.

    Raises:
        RunError: when none is complete.
    """
    aggregates, left_out = read_aggregates(folders, selector, _order)
    return ReportData(aggregates, selection, (left_out,) if left_out else ())


def _order(record: Record) -> tuple[object, ...]:
    """By setting, then method; the plain network (summed logits, all streams) before others; then by seed."""
    stored = record.stored
    network = stored.fusion != "sum", -len(stored.modalities), stored.common
    return str(record.setting), record.method.name(), *network, record.seed
