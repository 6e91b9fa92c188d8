"""Averages over seeds and shifts, and the aggregates of a folder, by hand."""

from statistics import stdev

import pytest

from egonorm.aggregate.aggregate import Aggregates, average, same_seeds
from egonorm.aggregate.paired import Family, Gain, describe_families
from egonorm.aggregate.table import p_cell
from egonorm.core import Setting
from egonorm.core.types import Shift
from egonorm.methods import Rna, SourceOnly
from egonorm.methods.ss import Ss
from egonorm.metrics import PairedTest, holm, mean_accuracy_interval
from egonorm.runs.results import last_mean, read_records
from stored_runs import plain_run, store


def shift_of(setting, domain=None):
    setting = Setting.parse(setting)
    return Shift.of(setting, domain or setting.target)


def judged(out, *runs):
    """The records of runs, each with how many clips of each domain it is right on and how many there are."""
    folders = [
        store(out, run, {d: [[1] * right + [0] * (n - right)] for d, (right, n) in found.items()})
        for run, found in runs
    ]
    return read_records(folders, last_mean(9))[0]


@pytest.fixture
def three_shifts(tmp_path):
    """Runs of two shifts to D2 and one to D3; seed 2 is in the second shift alone, and one run lacks a clip."""
    right = {
        ("dg1:D1:D2", 0): (1, 9),
        ("dg1:D1:D2", 1): (3, 10),
        ("dg1:D3:D2", 0): (6, 10),
        ("dg1:D3:D2", 1): (5, 10),
        ("dg1:D3:D2", 2): (10, 10),
        ("dg1:D1:D3", 1): (2, 4),
        ("dg1:D1:D3", 0): (1, 4),
    }
    runs = [(plain_run(setting, seed=seed), {setting[-2:]: found}) for (setting, seed), found in right.items()]
    (group,) = Aggregates(judged(tmp_path, *runs)).groups
    return group.by_shift


def test_an_average_over_shifts(three_shifts):
    found = average(three_shifts)
    first, second, third = (100 / 9 + 30) / 2, (60 + 50 + 100) / 3, (50 + 25) / 2
    assert found.mean == pytest.approx((first + second + third) / 3)
    of_seeds = [(100 / 9 + 60 + 25) / 3, (30 + 50 + 50) / 3]
    assert found.deviation == pytest.approx(stdev(of_seeds)) and found.seeds == (0, 1)
    assert found.n == 9 + 4 and found.shifts == tuple(map(shift_of, ("dg1:D1:D2", "dg1:D3:D2", "dg1:D1:D3")))
    expected = mean_accuracy_interval([(first + second) / 2, third], [9, 4], [2 / 3, 1 / 3])
    assert found.interval == pytest.approx(expected)


def test_an_average_of_another_metric_has_no_interval_and_what_was_not_measured_none(three_shifts):
    found = average(three_shifts, "mean_norm/rgb")
    assert (found.mean, found.deviation, found.interval, found.n) == (3.0, 0.0, None, 13)
    assert average(three_shifts, "top1/rgb") is None
    assert average({shift_of("dg1:D1:D4"): next(iter(three_shifts.values()))}) is None


def test_one_seed_has_no_deviation(tmp_path):
    records = judged(tmp_path, (plain_run(), {"D2": (3, 4), "D1": (1, 2)}))
    here, there = Aggregates(records).in_shifts()
    assert (here.top1.mean, here.top1.deviation, here.top1.n, here.top1.seeds) == (75.0, None, 4, (0,))
    assert (here.shifts, here.seeds, here.records) == ((shift_of("dg1:D1:D2"),), (0,), records)
    assert (there.shifts, there.top1.mean) == ((shift_of("dg1:D1:D2", "D1"),), 50.0)
    assert here.average("top1") is here.top1 and here.average("mean_norm/rgb").mean == 3.0


def test_shifts_have_the_same_seeds_or_no_mean(three_shifts):
    first, second, third = three_shifts
    assert same_seeds(three_shifts, [third, first]) == {s: three_shifts[s] for s in (third, first)}
    assert same_seeds(three_shifts, [first, second]) == {}
    assert same_seeds(three_shifts, [first, shift_of("dg1:D2:D1")]) == {}
    assert same_seeds(three_shifts, [shift_of("dg1:D2:D1")]) == {}


TESTED = PairedTest(0.2, 0.0004, 0.0008, 5, 50)


@pytest.fixture
def folder(tmp_path):
    """Three methods in four shifts of two families, judged also where they learnt and on a further domain."""
    found = {"D1": (2, 4), "D2": (2, 4), "D3": (2, 4)}
    settings = ("dg1:D1:D2", "dg1:D2:D1", "dg1:D1:D3", "uda:D1:D2")
    runs = [(plain_run(s, method), found) for s in settings for method in (SourceOnly(), Rna(), Ss())]
    return Aggregates(judged(tmp_path, *runs), lambda paired: Gain(TESTED, "", paired.seeds))


def test_where_methods_are_compared(folder):
    titles = lambda shifts: [shift.title for shift in shifts]  # noqa: E731
    assert titles(folder.shifts("dg1")) == ["D1 → D2", "D2 → D1", "D2 → D3", "D1 → D3"]
    assert titles(folder.official_shifts("dg1")) == ["D1 → D2", "D2 → D1", "D2 → D3", "D1 → D3"]
    assert titles(folder.shifts("uda")) == ["D1 → D2", "D1 → D3 (target D2)"]
    assert titles(folder.official_shifts("uda")) == ["D1 → D2"]
    assert folder.shifts("dgn") == folder.official_shifts("dgn") == ()
    source_only, rna, ss = folder.groups
    assert folder.references == {source_only: None, rna: source_only, ss: source_only}


def test_comparisons_of_a_family_are_corrected_together_and_so_are_means_over_the_same_shifts(folder):
    (p,), (_, rna, _) = holm([TESTED.p]), folder.groups
    one = folder.of(rna, shift_of("dg1:D1:D2"))
    assert (one.group, one.gain.family.name, one.gain.family.size) == (rna, "dg1", 8)
    assert one.gain.p == pytest.approx(8 * p) and folder.of(rna, shift_of("dg1:D1:D2")) is one
    assert folder.of(rna, shift_of("dg1:D1:D2", "D1")).gain is None
    assert folder.of(rna, shift_of("dg1:D3:D2")) is None
    assert folder.of(rna, shift_of("uda:D1:D2")).gain.family.size == 4
    shifts = folder.official_shifts("dg1")
    mean = folder.mean(rna, shifts[::-1])
    assert mean is folder.mean(rna, [*shifts, shifts[0]]) and set(mean.shifts) == set(shifts)
    assert (mean.gain.family.name, mean.gain.family.size) == ("dg1 means", 2) and mean.gain.p == pytest.approx(2 * p)
    assert folder.mean(rna, shifts[:2]).gain.family.name == "dg1 means over 2 shifts"
    assert folder.mean(rna, shifts[:1]).gain.family.name == "dg1 means over 1 shifts"
    assert folder.mean(rna, [*shifts, shift_of("dg1:D3:D2")]) is None
    assert folder.mean(folder.groups[0], shifts).gain is None


@pytest.mark.parametrize(("p", "said"), [(None, ""), (1e-5, "1e-05"), (0.0123, "0.012")])
def test_a_p_is_shown_with_two_digits_when_it_is_corrected(p, said):
    assert str(p_cell(Gain(TESTED, p=p))) == said


def test_families_are_named_in_order_with_their_sizes():
    gains = [Gain(TESTED, family=Family(name, size)) for name, size in (("uda", 2), ("dg1 means", 12), ("uda", 2))]
    assert describe_families([*gains, Gain(None, "no run")]) == "dg1 means 12, uda 2"


def test_without_source_only_there_is_no_gain_and_nothing_is_missing(tmp_path):
    alone = Aggregates(judged(tmp_path / "a", (plain_run(method=Rna()), {"D2": (1, 2)})))
    assert [one.gain for one in alone.in_shifts()] == [None]
    other = (plain_run(data="kitchens:/other"), {"D2": (1, 2)})
    both = Aggregates(judged(tmp_path / "b", (plain_run(method=Rna()), {"D2": (1, 2)}), other))
    assert [one.gain for one in both.in_shifts()] == [Gain(None, "no Source Only run"), None]
    with pytest.raises(ValueError, match=r"^There is no gain: no Source Only run\.$"):
        both.in_shifts()[0].gain.interval  # noqa: B018
