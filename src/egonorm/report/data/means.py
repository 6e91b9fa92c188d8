"""Means over shifts, and how far to trust them: what the bars of the figures stand for."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from statistics import fmean, stdev

from egonorm.metrics import mean_accuracy_interval
from egonorm.report.data.runs import Shift
from egonorm.runs.records import Record


@dataclass(frozen=True)
class Mean:
    """The mean over some shifts of the mean over seeds."""

    value: float
    low: float
    high: float
    """The ends of its bar of error; the value itself where nothing is known."""
    error: str
    """What that bar is; empty where there is none."""
    seeds: tuple[int, ...]
    """The seeds that all shifts have."""
    shifts: tuple[Shift, ...]
    n: int
    """Test clips, those that shifts share counted once."""


def mean_over(records: Mapping[Shift, Sequence[Record]], metric: str, is_accuracy: bool) -> Mean | None:
    """The mean of a metric over the shifts; None where no run was measured so.

    Its bar is the standard deviation, over seeds, of the mean over shifts. An accuracy with one seed has the 95 % interval over
    the test clips instead (Wilson).
    """
    found = {shift: _by_seed(some, shift, metric) for shift, some in records.items()}
    found = {shift: by_seed for shift, by_seed in found.items() if by_seed}
    if not found:
        return None
    seeds = sorted(reduce(lambda a, b: a & b, (by_seed.keys() for by_seed in found.values())))
    means = {shift: fmean(value for value, _ in by_seed.values()) for shift, by_seed in found.items()}
    value, (low, high), error = fmean(means.values()), (0.0, 0.0), ""
    percents, ns = _by_domain(found, means)
    if len(seeds) > 1:
        spread = stdev(fmean(by_seed[seed][0] for by_seed in found.values()) for seed in seeds)
        low, high, error = value - spread, value + spread, f"standard deviation over {len(seeds)} seeds"
    elif is_accuracy:
        shares = [sum(s.domain == domain for s in found) / len(found) for domain in percents]
        low, high = mean_accuracy_interval(list(percents.values()), list(ns.values()), shares)
        why = "one seed" if seeds else "no seed that all shifts have"
        error = f"95 % interval over the test clips (Wilson; {why})"
    else:
        low = high = value
    return Mean(value, low, high, error, tuple(seeds), tuple(found), sum(ns.values()))


def _by_seed(records: Sequence[Record], shift: Shift, metric: str) -> dict[int, tuple[float, int]]:
    return {r.run.seed: found for r in records if (found := r.measured.get(shift.domain, {}).get(metric))}


def _by_domain(found: Mapping[Shift, Mapping], means: Mapping[Shift, float]) -> tuple[dict[str, float], dict[str, int]]:
    """Per domain, whose clips several shifts share: the mean, and how many clips."""
    values, ns = defaultdict(list), defaultdict(list)
    for shift, by_seed in found.items():
        values[shift.domain].append(means[shift])
        ns[shift.domain] += [n for _, n in by_seed.values()]
    return {domain: fmean(some) for domain, some in values.items()}, {domain: min(some) for domain, some in ns.items()}
