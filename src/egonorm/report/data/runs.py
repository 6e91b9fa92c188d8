"""What a page is made of: complete runs by setting and method, and beside each method's runs those of Source Only."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from egonorm.aggregate.paired import Comparison, Contest, Hits, References, compare, find_references, reference_key
from egonorm.core import RunError, Setting
from egonorm.core.training import FUSED
from egonorm.methods import SourceOnly
from egonorm.runs.predictions import Predicted, read_predicted
from egonorm.runs.records import Record, read_records
from egonorm.runs.selection import Selector

REFERENCE = SourceOnly.name()


@dataclass(frozen=True)
class Shift:
    """From the domains that runs were trained on to one that they are judged on."""

    family: str
    sources: tuple[str, ...]
    target: str
    """Whose unlabelled clips were shown; where none were, the domain they are judged in."""
    domain: str
    """Where they are judged."""

    @classmethod
    def of(cls, setting: Setting, domain: str) -> "Shift":
        """The shift of runs of a setting that were judged on a domain, perhaps another than the target."""
        unseen = setting.target_visible == "never" and not {domain, setting.target} & set(setting.sources)
        return cls(setting.family, setting.sources, domain if unseen else setting.target, domain)

    @property
    def title(self) -> str:
        """As a person writes it: `D1+D2 → D3`."""
        seen = f" (target {self.target})" if self.domain != self.target and self.is_unseen else ""
        return f"{'+'.join(self.sources)} → {self.domain}{seen}"

    @property
    def is_official(self) -> bool:
        """Whether the domain is the one that the setting is about; another may have been judged besides."""
        return self.domain == self.target and (self.is_unseen or self.family == "supervised")

    @property
    def is_unseen(self) -> bool:
        """Whether the domain is another than those that labels were learnt in."""
        return self.domain not in self.sources


@dataclass(frozen=True, eq=False)
class Pair:
    """Runs of a method and runs of Source Only with the same seeds, in the same order, judged on the same domain."""

    shift: Shift
    method: str
    without: tuple[Record, ...]
    """Source Only."""
    with_method: tuple[Record, ...]

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


@dataclass(frozen=True, eq=False)
class Source:
    """All that a page reads."""

    records: tuple[Record, ...]
    selection: str
    notes: tuple[str, ...] = ()
    """What was left out and why, a sentence each."""
    broken: dict[str, str] = field(default_factory=dict)
    """Predictions that could not be read, and why; it grows as they are asked for."""
    _read: dict[tuple[Path, str], Predicted | None] = field(default_factory=dict, repr=False)

    def predicted(self, record: Record, domain: str) -> Predicted | None:
        """A run's predictions on a domain, read once; None where they are not there, or cannot be read."""
        key = record.folder, domain
        if key not in self._read:
            try:
                self._read[key] = read_predicted(record, domain)
            except RunError as error:
                self.broken[error.what], self._read[key] = error.got, None
        return self._read[key]

    def hits(self, record: Record, domain: str) -> Hits | None:
        """The same as shares of right checkpoints, for tests."""
        found = self.predicted(record, domain)
        if found is None:
            return None
        return Hits(found.uids, found.labels, found.votes[FUSED][np.arange(len(found.labels)), found.labels])

    def compare(self, contests: Sequence[Contest]) -> Comparison:
        """The mean gain over the contests; runs on different data are not compared."""
        try:
            return compare(contests, self.hits)
        except RunError as error:
            return Comparison(None, f"{error.what} Got {error.got}.")

    def pairs(self, method: str) -> tuple[Pair, ...]:
        """The method's runs beside Source Only's, for every setting and domain, in the records' order.

        Domains that a run was trained on are in it too, as shifts that are not unseen. Of several configurations of the
        method in one setting, the first is taken.
        """
        references, groups = self.references, defaultdict(list)
        for record in self.records:
            if record.run.method.name() == method != REFERENCE:
                groups[str(record.run.setting), record.variant].append(record)
        pairs = {}
        for records in groups.values():
            run = records[0].run
            opposite = references.get(reference_key(run), {})
            both = [(opposite[r.run.seed], r) for r in records if r.run.seed in opposite]
            for domain in dict.fromkeys(domain for _, record in both for domain in record.measured):
                shift = Shift.of(run.setting, domain)
                judged = [(a, b) for a, b in both if domain in a.measured and domain in b.measured]
                if judged and shift not in pairs:
                    without, with_method = zip(*judged, strict=True)
                    pairs[shift] = Pair(shift, method, without, with_method)
        return tuple(pairs.values())

    @cached_property
    def references(self) -> References:
        """The Source Only runs, by what a run that is compared with them has in common with them."""
        return find_references(self.records)

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that there are runs of, Source Only first."""
        names = dict.fromkeys(record.run.method.name() for record in self.records)
        return tuple(sorted(names, key=lambda name: (name != REFERENCE, name != "rna")))

    @property
    def families(self) -> tuple[str, ...]:
        """The families of settings; the supervised one, which bounds the others, comes last."""
        order = ("dg1", "dgn", "uda", "tta", "supervised")
        found = {record.run.setting.family for record in self.records}
        return tuple(sorted(found, key=lambda family: order.index(family) if family in order else len(order)))


def read_source(folders: Iterable[Path], selector: Selector, selection: str) -> Source:
    """The complete runs among the folders, and in words what could not be used.

    Raises:
        RunError: when none is complete.
    """
    records, left_out = read_records(folders, selector)
    return Source(_sorted(records), selection, (left_out,) if left_out else ())


def _sorted(records: Sequence[Record]) -> tuple[Record, ...]:
    """By setting, then method; the plain network (summed logits, all streams) before others; then by seed."""
    plain = lambda run: (run.net.fusion != "sum", -len(run.net.streams))  # noqa: E731
    key = lambda r: (str(r.run.setting), r.run.method.name(), *plain(r.run), r.variant, r.run.seed)  # noqa: E731
    return tuple(sorted(records, key=key))
