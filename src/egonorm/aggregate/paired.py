"""From stored predictions to what they prove: a method's hits against Source Only's, on the same clips with the same seeds."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce

import numpy as np
from jaxtyping import Float, Int, Shaped

from egonorm.core import RunError
from egonorm.core.training import FUSED
from egonorm.methods import SourceOnly
from egonorm.metrics import PairedTest, paired_test
from egonorm.runs.config import ANYWHERE, Run
from egonorm.runs.predictions import hits_of, read_arrays, stated_files
from egonorm.runs.records import Record


@dataclass(frozen=True)
class Hits:
    """How often a run's selected checkpoints were right on each of a domain's test clips."""

    uids: Shaped[np.ndarray, " clip"]
    """Sorted."""
    labels: Int[np.ndarray, " clip"]
    shares: Float[np.ndarray, " clip"]
    """The share of the checkpoints whose fused scores put the label first."""


HitReader = Callable[[Record, str], Hits | None]


@dataclass(frozen=True)
class Contest:
    """Runs of a method and runs of Source Only with the same seeds in the same order, judged on one domain."""

    runs: tuple[Record, ...]
    references: tuple[Record, ...]
    domain: str


@dataclass(frozen=True)
class Comparison:
    """A method's gain over Source Only, or why there is none."""

    test: PairedTest | None
    missing: str = ""
    """What there was not, when there is no test."""
    left_out: int = 0
    """Clips on which some of the runs were judged and others not; they do not count."""


References = Mapping[tuple[str, tuple[str, ...], str], Mapping[int, Record]]
"""Source Only runs by `reference_key` and seed."""


def reference_key(run: Run) -> tuple[str, tuple[str, ...], str]:
    """What a run and the Source Only run that it is compared with have in common: all but method, seed and family of setting.

    Source Only trains in every family alike, so that it need not be run in those that show the target to others.
    """
    same = replace(run, method=SourceOnly(), seed=0, setting=ANYWHERE)
    return same.name, run.setting.sources, run.setting.target


def find_references(records: Iterable[Record]) -> References:
    """The Source Only runs among the records; where there are some in several families, those that no target is shown to."""
    found = defaultdict(dict)
    for record in records:
        seeds, run = found[reference_key(record.run)], record.run
        if run.method == SourceOnly() and (run.seed not in seeds or run.setting.target_visible == "never"):
            seeds[run.seed] = record
    return {key: seeds for key, seeds in found.items() if seeds}


def oppose(runs: Sequence[Record], references: Mapping[int, Record], domain: str) -> Contest | str:
    """The runs and the references of their seeds, or what is missing."""
    if not references:
        return "no Source Only run"
    if any(record.run.seed not in references for record in runs):
        return "Source Only: seeds differ"
    return Contest(tuple(runs), tuple(references[record.run.seed] for record in runs), domain)


def compare(contests: Sequence[Contest], read: HitReader) -> Comparison:
    """The mean gain over several contests with the same seeds; those on one domain share its clips.

    Raises:
        RunError: when a clip has different labels in two runs, or predictions are not those that the rows speak of.
    """
    domains = tuple(dict.fromkeys(contest.domain for contest in contests))
    found = [_differences([contest for contest in contests if contest.domain == domain], read) for domain in domains]
    for missing in found:
        if isinstance(missing, str):
            return Comparison(None, missing)
    shares = [sum(contest.domain == domain for contest in contests) / len(contests) for domain in domains]
    return Comparison(paired_test([gains for gains, _ in found], shares), left_out=sum(out for _, out in found))


def read_hits(record: Record, domain: str) -> Hits | None:
    """A run's hits on a domain; None where its predictions are not there any more.

    Raises:
        RunError: for predictions that cannot be read, or are not those that the rows speak of.
    """
    stated = stated_files(record, domain)
    if not stated:
        return None
    uids, labels = read_arrays(list(stated)[-1], ["uids", "labels"]).values()
    scores = {path: read_arrays(path, [f"scores/{FUSED}"])[f"scores/{FUSED}"] for path in stated}
    hits = [hits_of(path, scores[path], labels, value) for path, value in stated.items()]
    return Hits(uids, labels, np.mean(hits, axis=0))


def _differences(contests: Sequence[Contest], read: HitReader) -> tuple[Float[np.ndarray, "seed clip"], int] | str:
    """One domain's gains on the clips that all have in common, averaged over the contests, and how many others there are."""
    records = [record for contest in contests for record in (*contest.runs, *contest.references)]
    hits = [read(record, contests[0].domain) for record in records]
    if any(one is None for one in hits):
        return "no predictions"
    common = reduce(partial(_joined, np.intersect1d), [one.uids for one in hits])
    if not len(common):
        return "no common clips"
    places = [np.searchsorted(one.uids, common) for one in hits]
    _check_labels(records, [one.labels[place] for one, place in zip(hits, places, strict=True)])
    shares = np.stack([one.shares[place] for one, place in zip(hits, places, strict=True)])
    gains = shares.reshape(len(contests), 2, -1, len(common))
    everywhere = reduce(partial(_joined, np.union1d), [one.uids for one in hits])
    return (gains[:, 0] - gains[:, 1]).mean(axis=0), len(everywhere) - len(common)


def _joined(join: Callable, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Two sets of clips as one; nothing is sorted when they are the same."""
    return a if np.array_equal(a, b) else join(a, b)


def _check_labels(records: Sequence[Record], labels: Sequence[np.ndarray]) -> None:
    for record, own in zip(records, labels, strict=True):
        if not np.array_equal(own, labels[0]):
            raise RunError(
                f"{record.folder.name} and {records[0].folder.name} cannot be compared.",
                got=f"other labels for {int((own != labels[0]).sum())} of {len(own)} clips",
                expected="the same clips",
                remedy="Keep runs on different data in different folders, or train anew what is older.",
            )
