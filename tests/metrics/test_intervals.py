"""Intervals of accuracies: scipy's for whole numbers of clips, smooth between them, and right for means."""

import numpy as np
import pytest
from scipy.stats import binomtest

from egonorm.metrics import accuracy_interval, mean_accuracy_interval


@pytest.mark.parametrize(("hits", "n"), [(0, 5), (3, 7), (40, 40), (196, 435)])
def test_wilsons_interval_is_scipys_for_a_whole_number_of_hits(hits, n):
    expected = binomtest(hits, n).proportion_ci(0.95, "wilson")
    assert accuracy_interval(100 * hits / n, n) == pytest.approx((100 * expected.low, 100 * expected.high), abs=1e-9)


def test_a_share_of_a_clip_counts():
    """39.6 of 40 clips, as the mean of several checkpoints may be, lie between 39 and 40."""
    below, here, above = (accuracy_interval(100 * hits / 40, 40) for hits in (39.0, 39.6, 40.0))
    assert below[0] < here[0] < above[0] and below[1] < here[1] < above[1]


@pytest.mark.parametrize("confidence", [0.5, 0.95])
def test_it_stays_between_0_and_100(confidence):
    for n in range(1, 1000):
        assert accuracy_interval(0.0, n, confidence)[0] >= 0.0 and accuracy_interval(100.0, n, confidence)[1] <= 100.0


def test_each_accuracy_needs_its_clips_and_its_share():
    with pytest.raises(ValueError, match="shorter"):
        mean_accuracy_interval([50.0, 40.0], [60, 60], [1.0])
    with pytest.raises(ValueError, match="longer"):
        mean_accuracy_interval([50.0], [60, 60], [1.0])


def test_a_mean_of_one_is_wilsons():
    assert mean_accuracy_interval([45.0], [435], [1.0]) == pytest.approx(accuracy_interval(45.0, 435))


def test_a_mean_has_the_interval_of_as_many_clips_as_would_vary_as_much():
    variance = 0.25**2 * 0.4 * 0.6 / 100 + 0.75**2 * 0.9 * 0.1 / 20
    mean = 0.25 * 0.4 + 0.75 * 0.9
    n = mean * (1 - mean) / variance
    expected = binomtest(round(1000 * mean), 1000).proportion_ci(0.95, "wilson")
    low, high = mean_accuracy_interval([40.0, 90.0], [100, 20], [0.25, 0.75])
    assert high - low == pytest.approx(100 * (expected.high - expected.low) * (1000 / n) ** 0.5, rel=0.05)
    assert mean_accuracy_interval([50.0, 50.0], [60, 60], [0.5, 0.5]) == pytest.approx(accuracy_interval(50.0, 120))


def test_a_mean_without_a_miss():
    assert mean_accuracy_interval([100.0, 100.0], [60, 60], [0.5, 0.5]) == pytest.approx(accuracy_interval(100.0, 120))
    low, high = mean_accuracy_interval([100.0, 0.0], [60, 60], [0.5, 0.5])
    assert 40 < low < 50 < high < 60


@pytest.mark.parametrize(("truth", "ns"), [((0.9, 0.5, 0.75), (40, 60, 50)), ((0.97, 0.97, 0.97), (40, 40, 40))])
def test_it_holds_the_true_mean_nineteen_times_in_twenty(truth, ns):
    rng, inside = np.random.default_rng(list(ns)), 0
    for hits in rng.binomial(ns, truth, (2000, 3)):
        low, high = mean_accuracy_interval(list(100 * hits / ns), ns, [1 / 3] * 3)
        inside += low <= 100 * np.mean(truth) <= high
    assert 1880 <= inside <= 1960
