"""What a table is made of: words, and numbers with what says how sure they are."""

from collections.abc import Sequence
from dataclasses import dataclass

from egonorm.aggregate.paired import Comparison
from egonorm.metrics import PairedTest, holm


@dataclass(frozen=True)
class Cell:
    """A number with what says how sure it is: its spread over seeds, and its interval."""

    mean: float
    form: str
    """How it is written, as Python's format writes it."""
    spread: float | None = None
    interval: tuple[float, float] | None = None
    ends: str = ".0f"
    """How the ends of the interval are written."""
    mark: str = ""
    """A sign behind it that the caption explains."""

    def __str__(self) -> str:
        spread = "" if self.spread is None else f" ± {self.spread:.1f}"
        interval = "" if self.interval is None else f" [{', '.join(format(end, self.ends) for end in self.interval)}]"
        return f"{self.mean:{self.form}}{spread}{interval}{self.mark and f' {self.mark}'}"


@dataclass(frozen=True)
class Table:
    """Words and numbers under a header, and a caption that says how the numbers came about."""

    header: tuple[str, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    caption: str

    @classmethod
    def of(cls, columns: dict[str, list[str | Cell]], caption: str) -> "Table":
        """The table of these columns, each under its title."""
        return cls(tuple(columns), tuple(zip(*columns.values(), strict=True)), caption)


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
