"""What a table is made of: words, and numbers with what says how sure they are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from egonorm.aggregate.aggregate import Aggregate, Average
from egonorm.aggregate.paired import Gain
from egonorm.methods import SourceOnly


@dataclass(frozen=True)
class Cell:
    """A number with what says how sure it is: its deviation over seeds, and its interval."""

    mean: float
    form: str
    """How it is written, as Python's format writes it."""
    deviation: float | None = None
    interval: tuple[float, float] | None = None
    ends: str = ".0f"
    """How the ends of the interval are written."""
    mark: str = ""
    """A sign behind it that the caption explains."""

    def __str__(self) -> str:
        deviation = "" if self.deviation is None else f" ± {self.deviation:.1f}"
        interval = "" if self.interval is None else f" [{', '.join(format(end, self.ends) for end in self.interval)}]"
        return f"{self.mean:{self.form}}{deviation}{interval}{self.mark and f' {self.mark}'}"


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
ABOUT_NETWORKS = (
    "Source Only with fewer streams or other fusion is compared with that with all streams and late fusion."
)


def average_cell(average: Average | None, form: str) -> str | Cell:
    """An average with its deviation and its interval."""
    return "" if average is None else Cell(average.mean, form, average.deviation, average.interval)


def gain_cell(gain: Gain | None) -> str | Cell:
    """The gain, empty where there is no test."""
    return "" if gain is None or gain.test is None else Cell(gain.mean, "+z.1f", gain.deviation, gain.interval, "+z.1f")


def p_cell(gain: Gain | None) -> str | Cell:
    """Its corrected p, empty where there is no test."""
    if gain is None or gain.test is None or gain.p is None:
        return ""
    return Cell(gain.p, ".2g", mark=ONE_SEED if gain.test.num_seeds == 1 else "")


def about_gains(lines: Sequence[Aggregate]) -> list[str]:
    """Sentences of a caption: what gains and p are, which are corrected together, and what some are like and need not be."""
    gains = [line.gain for line in lines if line.gain is not None and line.gain.test is not None]
    if not gains:
        return []
    sentences = [
        ABOUT,
        f"Comparisons corrected together, by family of settings in the whole folder: {describe_families(gains)}.",
    ]
    if any(line.gain in gains and line.group.run.method == SourceOnly() for line in lines):
        sentences.append(ABOUT_NETWORKS)
    if any(gain.test and gain.test.num_seeds == 1 for gain in gains):
        sentences.append(ABOUT_ONE_SEED)
    if most := max(gain.left_out for gain in gains):
        sentences.append(f"Clips that not all compared runs were judged on do not count for gain and p: up to {most}.")
    if number := sum(bool(gain.unmatched) for gain in gains):
        sentences.append(
            f"Seeds that one side of a comparison has alone do not count for gain and p: {number} of them."
        )
    return sentences


def describe_families(gains: Iterable[Gain]) -> str:
    """Which comparisons are corrected together, and how many they are: `dg1 12, dg1 means 4`."""
    families = {gain.family for gain in gains if gain.family is not None}
    return ", ".join(f"{family.name} {family.size}" for family in sorted(families, key=lambda family: family.name))
