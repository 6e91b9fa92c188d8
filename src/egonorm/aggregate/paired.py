"""From stored predictions to what they prove: a method's hits against Source Only's, on the same clips with the same seeds."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce

import numpy as np
from jaxtyping import Float, Int, Shaped

from egonorm.core.training import FUSED
from egonorm.core.types import Shift
from egonorm.metrics import PairedTest, paired_test
from egonorm.runs.predictions import check_measured, hits_of, read_arrays, stated_files
from egonorm.runs.results import Record, Runs


@dataclass(frozen=True)
class Hits:
    """How often a run's selected checkpoints were right on each of a domain's test clips."""

    uids: Shaped[np.ndarray, " clip"]
    """Sorted."""
    labels: Int[np.ndarray, " clip"]
    shares: Float[np.ndarray, " clip"]
    """The share of the checkpoints whose fused scores put the label first."""


NO_REFERENCE = "no Source Only run"
SCORES = f"scores/{FUSED}"
"""The array of predictions that decides a hit."""
HitReader = Callable[[Record, str], Hits | None]


@dataclass(frozen=True)
class PairedRuns:
    """Two sides of a comparison: for each shift, a tuple of runs on either side, of the same seeds in the same order."""

    runs: Mapping[Shift, tuple[Record, ...]]
    references: Mapping[Shift, tuple[Record, ...]]
    """What they are compared with, in the same shifts."""
    seeds: tuple[int, ...]
    """Those that both sides have in all shifts."""
    unmatched: tuple[int, ...] = ()
    """Those that one side has alone, in one shift or more; they do not count."""


@dataclass(frozen=True)
class Family:
    """Comparisons whose p values Holm's correction takes together."""

    name: str
    size: int
    """How many tests there are in it."""


@dataclass(frozen=True)
class Gain:
    """A gain over other runs on the same clips with the same seeds, in percent points; or why there is none."""

    test: PairedTest | None
    missing: str = ""
    """What there was not, when there is no test."""
    seeds: tuple[int, ...] = ()
    """Those that both sides have in all shifts."""
    unmatched: tuple[int, ...] = ()
    """Those that one side has alone; they do not count."""
    left_out: int = 0
    """Clips on which some of the runs were judged and others not; they do not count."""
    p: float | None = None
    """After Holm's correction in its family."""
    family: Family | None = None

    @property
    def mean(self) -> float:
        """The gain."""
        return 100 * self._test.mean

    @property
    def deviation(self) -> float | None:
        """Its standard deviation over seeds; None with one."""
        return None if self._test.num_seeds == 1 else 100 * (self._test.by_seeds * self._test.num_seeds) ** 0.5

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95 % interval over new seeds and new clips."""
        low, high = self._test.interval()
        return 100 * low, 100 * high

    @property
    def _test(self) -> PairedTest:
        if self.test is None:
            raise ValueError(f"There is no gain: {self.missing}.")
        return self.test


def describe_families(gains: Iterable[Gain]) -> str:
    """Which comparisons are corrected together, and how many they are: `dg1 12, dg1 means 4`."""
    families = {gain.family for gain in gains if gain.family is not None}
    return ", ".join(f"{family.name} {family.size}" for family in sorted(families, key=lambda family: family.name))


def match_seeds(runs: Mapping[Shift, Runs], references: Mapping[Shift, Runs]) -> PairedRuns | str:
    """The runs and the references of the seeds that both have in all of these shifts; or what is missing."""
    if not all(references.values()):
        return NO_REFERENCE
    sides = [some.keys() for side in (runs, references) for some in side.values()]
    shared = sorted(set.intersection(*map(set, sides)))
    if not shared:
        return "Source Only: seeds differ"
    pick = lambda side: {shift: tuple(some[seed] for seed in shared) for shift, some in side.items()}  # noqa: E731
    unmatched = set().union(*sides) - set(shared)
    return PairedRuns(pick(runs), pick(references), tuple(shared), tuple(sorted(unmatched)))


def compare(paired: PairedRuns, read: HitReader) -> Gain:
    """The mean gain over the shifts of a comparison; those on one domain share its clips. Its p is not corrected yet.

    Where predictions are missing, or of clips that have other labels in one of the runs, there is none, and it says why.
    """
    shifts = defaultdict(list)
    for shift in paired.runs:
        shifts[shift.domain].append(shift)
    found = []
    for some in shifts.values():
        differences = _differences(paired, some, read)
        if isinstance(differences, str):
            return Gain(None, differences)
        found.append(differences)
    test = paired_test([gains for gains, _ in found], [len(some) / len(paired.runs) for some in shifts.values()])
    return Gain(test, "", paired.seeds, paired.unmatched, sum(left_out for _, left_out in found))


def read_hits(record: Record, domain: str) -> Hits | None:
    """A run's hits on a domain; None where its predictions are not there any more.

    Raises:
        RunError: for predictions that cannot be read, or are not those that the rows speak of.
    """
    stated = stated_files(record, domain)
    if not stated:
        return None
    first, *others = stated
    uids, labels, classes, *scores = read_arrays(first, ["uids", "labels", "classes", SCORES]).values()
    scores += [read_arrays(path, [SCORES])[SCORES] for path in others]
    shares = hits_of(stated, scores, labels).mean(axis=0)
    check_measured(record, domain, {FUSED: shares}, labels, classes.tolist(), {})
    return Hits(uids, labels, shares)


def _differences(
    paired: PairedRuns, shifts: Sequence[Shift], read: HitReader
) -> tuple[Float[np.ndarray, "seed clip"], int] | str:
    """The gains in shifts on one domain, averaged, on the clips that all have in common; and how many others there are."""
    records = [record for shift in shifts for record in (*paired.runs[shift], *paired.references[shift])]
    hits = [one for record in records if (one := read(record, shifts[0].domain)) is not None]
    if len(hits) < len(records):
        return "no predictions"
    common = reduce(partial(_joined, np.intersect1d), [one.uids for one in hits])
    if not len(common):
        return "no common clips"
    places = [np.searchsorted(one.uids, common) for one in hits]
    if different := _other_labels(records, [one.labels[place] for one, place in zip(hits, places, strict=True)]):
        return different
    shares = np.stack([one.shares[place] for one, place in zip(hits, places, strict=True)])
    gains = shares.reshape(len(shifts), 2, -1, len(common))
    everywhere = reduce(partial(_joined, np.union1d), [one.uids for one in hits])
    return (gains[:, 0] - gains[:, 1]).mean(axis=0), len(everywhere) - len(common)


def _joined(join: Callable, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Two sets of clips as one; nothing is sorted when they are the same."""
    return a if np.array_equal(a, b) else join(a, b)


def _other_labels(records: Sequence[Record], labels: Sequence[np.ndarray]) -> str:
    """Which runs have other labels for the same clips, and for how many; empty if they all have the same."""
    for record, own in zip(records, labels, strict=True):
        if not np.array_equal(own, labels[0]):
            number = f"{int((own != labels[0]).sum())} of {len(own)} clips"
            return f"other labels for {number} in {record.folder.name} and {records[0].folder.name}"
    return ""
