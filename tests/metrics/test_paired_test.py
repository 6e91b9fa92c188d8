"""The paired test against layouts done by hand, scipy where it must agree, and simulation; Holm's correction."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_1samp, ttest_rel
from scipy.stats import t as student

from egonorm.metrics import holm, paired_test

EXAMPLE = Path(__file__).parents[2] / "examples" / "size_of_the_test.py"


def model():
    """The example that draws hits of two methods that are equals."""
    spec = importlib.util.spec_from_file_location("size_of_the_test", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_layout_by_hand():
    """Two seeds, four clips: MS_seed 1/2, MS_clip 5/6, MS_error 1/6."""
    test = paired_test([np.array([[1.0, 0.0, 0.0, 1.0], [1.0, 0.0, -1.0, 0.0]])])
    assert (test.mean, test.num_seeds, test.num_clips) == (0.25, 2, 4)
    assert test.by_seeds == pytest.approx(0.5 / 8)
    assert test.by_clips == pytest.approx((5 / 6 - 1 / 6) / 8)
    assert test.standard_error == pytest.approx((7 / 48) ** 0.5)


def test_a_variance_smaller_than_that_of_the_residuals_is_chance():
    """Seeds and clips that agree exactly in their means: MS_seed = MS_clip = 0, MS_error = 1."""
    test = paired_test([np.array([[1.0, 0.0], [0.0, 1.0]])])
    assert (test.by_seeds, test.by_clips) == (0.0, 0.25)


def test_with_one_seed_it_is_the_paired_t_test_over_clips():
    rng = np.random.default_rng(0)
    ours, theirs = rng.integers(0, 10, (2, 60)) / 9
    test = paired_test([(ours - theirs)[None]])
    assert test.p == pytest.approx(ttest_rel(ours, theirs).pvalue, rel=1e-6)
    low, high = ttest_rel(ours, theirs).confidence_interval(0.95)
    assert test.interval() == pytest.approx((low, high))
    assert test.by_seeds == 0


def test_where_clips_do_not_matter_it_is_the_paired_t_test_over_seeds():
    gains = np.array([0.05, 0.02, 0.06, -0.01])
    test = paired_test([np.repeat(gains[:, None], 50, axis=1)])
    assert test.p == pytest.approx(ttest_1samp(gains, 0).pvalue, rel=1e-6)
    ours, theirs = 0.4 + gains, np.full(4, 0.4)
    assert test.p == pytest.approx(ttest_rel(ours, theirs).pvalue, rel=1e-6)


def test_p_is_the_level_at_which_the_interval_ends_at_zero():
    gains = np.random.default_rng(3).normal(0.05, 0.3, (3, 80))
    test = paired_test([gains])
    assert 0.001 < test.p < 0.9
    assert min(map(abs, test.interval(1 - test.p))) == pytest.approx(0, abs=1e-9)
    assert paired_test([-gains]).p == pytest.approx(test.p)


def test_each_variance_has_the_quantile_of_its_own_degrees():
    test = paired_test([np.array([[1.0, 0.0, 0.0, 1.0], [1.0, 0.0, -1.0, 0.0]])])
    half = np.sqrt(test.by_seeds * student.isf(0.025, 1) ** 2 + test.by_clips * student.isf(0.025, 3) ** 2)
    assert test.interval() == pytest.approx((0.25 - half, 0.25 + half))


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (3, 1), (3, 7)])
def test_no_variance_at_all(shape):
    assert paired_test([np.zeros(shape)]).p == 1.0
    for gain in (1.0, 1 / 9, -0.1):
        assert paired_test([np.full(shape, gain)]).p == 2.0 ** (1 - shape[1])


@pytest.mark.parametrize("shape", [(1, 30), (2, 5)])
def test_where_nothing_varies_clips_of_another_kind_may_have_been_missed(shape):
    """The largest share of them is Clopper and Pearson's limit (Biometrika 1934) with none seen among the clips."""
    missed = binomtest(0, shape[1]).proportion_ci(0.9, "exact").high
    assert paired_test([np.full(shape, 0.5)]).interval(0.9) == pytest.approx((0.5 - missed, 0.5 + missed))


def test_no_variance_is_negative():
    """Seeds that differ, and clips whose means are the same: MS_clip 0, MS_error 0.02, MS_seed 1.62."""
    test = paired_test([np.array([[1.0, 0.8], [-1.0, -0.8]])])
    assert (test.by_seeds, test.by_clips) == (pytest.approx(1.62 / 2), 0.0)


def test_the_smallest_p_is_a_millionth_of_a_millionth():
    gains = 1.0 - 1e-6 * np.random.default_rng(0).random((3, 200))
    assert paired_test([gains]).p == pytest.approx(1e-12, rel=1e-9, abs=0)
    gains = np.random.default_rng(0).normal(0.1, 0.15, (1, 80))
    expected = ttest_1samp(gains[0], 0).pvalue
    assert 1e-11 < expected < 1e-7
    assert paired_test([gains]).p == pytest.approx(expected, rel=1e-6, abs=0)


def test_what_a_seed_decides_is_shared_by_all_targets():
    """Two targets whose gains depend on the seed alone teach no more about seeds than one; on clips alone, twice as much."""
    seeds = np.array([[0.1], [0.2], [0.0]]).repeat(10, axis=1)
    once, twice = paired_test([seeds]), paired_test([seeds, seeds], (0.5, 0.5))
    assert twice.by_seeds == pytest.approx(once.by_seeds) and twice.p == pytest.approx(once.p)
    clips = np.random.default_rng(0).normal(0, 1, (1, 30)).repeat(3, axis=0)
    once, twice = paired_test([clips]), paired_test([clips, clips], (0.5, 0.5))
    assert twice.by_clips == pytest.approx(once.by_clips / 2)


def test_a_mean_over_targets_weighs_them_as_told():
    a, b = np.array([[1.0, 1.0, 0.0]]), np.array([[0.0, -1.0, 0.0, 0.0, 0.0]])
    test = paired_test([a, b], (0.25, 0.75))
    assert test.mean == pytest.approx(0.25 * 2 / 3 - 0.75 / 5)
    assert test.by_clips == pytest.approx(0.25**2 * a.var(ddof=1) / 3 + 0.75**2 * b.var(ddof=1) / 5)
    assert test.num_clips == 3


def test_with_several_seeds_each_target_weighs_by_the_square_of_its_share():
    """The layout by hand, of which MS_clip is 5/6 and MS_error 1/6, and one of three clips: MS_clip 1/6 and MS_error 1/6."""
    one = np.array([[1.0, 0.0, 0.0, 1.0], [1.0, 0.0, -1.0, 0.0]])
    two = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert paired_test([two]).by_clips == pytest.approx(0.0, abs=1e-15)
    test = paired_test([one, two], (0.25, 0.75))
    clips, error = 5 / 6 / 8 / 16 + 9 / 16 / 6 / 6, 1 / 6 / 8 / 16 + 9 / 16 / 6 / 6
    seeds = np.var([0.25 * 0.5 + 0.75 / 3, 0.0], ddof=1) / 2
    assert test.mean == pytest.approx(0.1875) and test.by_seeds == pytest.approx(seeds)
    assert test.by_clips == pytest.approx(max(clips - error, error - seeds, 0.0))


def test_each_target_needs_a_share():
    a = np.array([[1.0, 1.0, 0.0]])
    with pytest.raises(ValueError, match="shorter"):
        paired_test([a, a])
    with pytest.raises(ValueError, match="longer"):
        paired_test([a], (0.5, 0.5))


@pytest.mark.parametrize("mix", ["neither", "seeds", "clips", "both", "mostly seeds"])
def test_it_seldom_finds_a_gain_where_there_is_none(mix):
    """Three seeds, binary hits: at 5 % in no more than 5 % of the draws, but for the chance of 400 draws."""
    example = model()
    rng = np.random.default_rng([7, *mix.encode()])
    p = [paired_test([example.one_shift(rng, 3, 40, *example.MIXES[mix], 1)]).p for _ in range(400)]
    assert np.mean(np.array(p) < 0.05) < 0.05 + 2.5 * (0.05 * 0.95 / 400) ** 0.5


def test_nor_in_a_mean_over_shifts():
    example = model()
    rng = np.random.default_rng(8)
    draws = [example.six_shifts(rng, 3, (40, 60, 80), *example.MIXES["both"], 9) for _ in range(400)]
    assert np.mean([paired_test(d, (1 / 3,) * 3).p < 0.05 for d in draws]) < 0.05 + 2.5 * (0.05 * 0.95 / 400) ** 0.5


@pytest.mark.slow
def test_one_number_of_degrees_for_both_variances_would_find_too_many():
    """The degrees of freedom of Hillis (Stat. Med. 2007), `V^2 / (V_seeds^2 / (S - 1))`, with two and three seeds."""
    example, found = model(), {2: [], 3: []}
    for seeds, p_values in found.items():
        rng = np.random.default_rng([9, seeds])
        for _ in range(1500):
            test = paired_test([example.one_shift(rng, seeds, 100, *example.MIXES["both"], 9)])
            degrees = test.standard_error**4 / (test.by_seeds**2 / (seeds - 1))
            p_values.append((test.p, 2 * student.sf(abs(test.mean) / test.standard_error, min(degrees, 1e9))))
    ours, hillis = np.mean(np.array(found[2]) < 0.05, axis=0)
    assert hillis > 0.09 and ours < 0.06
    ours, hillis = np.mean(np.array(found[3]) < 0.05, axis=0)
    assert hillis > 0.06 and ours < 0.06


@pytest.mark.slow
def test_seeds_taken_as_independent_in_each_shift_would_find_too_many():
    """Six shifts of three sources, whose networks are each judged on two targets: gains that depend on the seed alone."""
    rng, found = np.random.default_rng(10), []
    for _ in range(1500):
        a, b, c = rng.normal(0, 0.05, (3, 3, 1)).repeat(10, axis=2)  # a source's gains, `seed clip`
        test = paired_test([(b + c) / 2, (a + c) / 2, (a + b) / 2], (1 / 3,) * 3)
        apart = sum(2 * gains[:, 0].var(ddof=1) / 3 for gains in (a, b, c)) / 36
        found.append((test.p, 2 * student.sf(abs(test.mean) / apart**0.5, 12)))
    together, apart = np.mean(np.array(found) < 0.05, axis=0)
    assert together < 0.06 and apart > 0.15


def test_it_finds_a_gain_that_is_large():
    rng = np.random.default_rng(0)
    gains = 0.1 + rng.normal(0, 0.01, (3, 1)) + rng.normal(0, 0.3, (1, 400)) + rng.normal(0, 0.2, (3, 400))
    assert paired_test([gains]).p < 0.02


def test_holm_by_a_known_example():
    """The fifteen p values of Benjamini and Hochberg (J. R. Stat. Soc. B 1995, Section 3.2), of which three stand at 0.05."""
    small = (0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459)
    p = (*small, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0)
    corrected = holm(p)
    assert sum(x <= 0.05 for x in corrected) == 3
    assert corrected[:4] == pytest.approx((0.0015, 0.0056, 0.0247, 0.114))
    assert corrected[-1] == 1.0


def test_holm_keeps_the_order_given_and_never_lowers_a_value():
    assert holm((0.01, 0.04, 0.03, 0.005)) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm((0.2,)) == (0.2,) and holm(()) == ()
    assert holm((0.6, 0.7)) == (1.0, 1.0)
