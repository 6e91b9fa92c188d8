"""Comparisons with Source Only as cells: the gain, and its p value corrected for the number of comparisons."""

from collections.abc import Sequence

from egonorm.bench.cells import Cell
from egonorm.bench.evidence import Comparison
from egonorm.metrics import PairedTest, holm

ONE_SEED = "‡"
ABOUT = (
    "gain is the top-1 minus that of Source Only with the same seeds on the same clips, in brackets its 95 % interval (for it "
    "alone) over new seeds and new clips at once; p is how probable a gain of that size, up or down, is at most if there is none "
    "(two-way test, seeds and clips at random: docs/statistics.md), after Holm's correction; the bound is 0.05."
)
ABOUT_ONE_SEED = (
    f"{ONE_SEED} one seed: over new clips alone; where seeds differ, such an interval and p are worth nothing."
)


def gain_cells(family: Sequence[Comparison | None]) -> list[tuple[str | Cell, str | Cell]]:
    """The gain and the p value of each comparison; Holm's correction is for all tests of this family."""
    tests = [None if comparison is None else comparison.test for comparison in family]
    corrected = iter(holm([test.p for test in tests if test is not None]))
    return [("", "") if test is None else (_gain(test), _p(test, next(corrected))) for test in tests]


def count_tests(family: Sequence[Comparison | None]) -> int:
    """How many of the comparisons are tests."""
    return sum(comparison is not None and comparison.test is not None for comparison in family)


def notes(comparisons: Sequence[Comparison | None]) -> list[str]:
    """Sentences about what some of the comparisons are like, and need not be."""
    found = [comparison for comparison in comparisons if comparison is not None]
    tests = [comparison for comparison in found if comparison.test is not None]
    sentences = [ABOUT_ONE_SEED] if any(comparison.test.num_seeds == 1 for comparison in tests) else []
    if any(comparison.left_out for comparison in tests):
        most = max(comparison.left_out for comparison in tests)
        sentences.append(f"Clips that not all compared runs were judged on do not count for gain and p: up to {most}.")
    return sentences


def _gain(test: PairedTest) -> Cell:
    low, high = test.interval()
    spread = None if test.num_seeds == 1 else 100 * (test.by_seeds * test.num_seeds) ** 0.5
    return Cell(100 * test.mean, "+z.1f", spread, (100 * low, 100 * high), "+z.1f")


def _p(test: PairedTest, corrected: float) -> Cell:
    return Cell(corrected, ".2g", mark=ONE_SEED if test.num_seeds == 1 else "")
