"""Quantities over the steps of training: a value a stretch of steps, averaged over seeds, and lines of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from egonorm.report.style import Mark

MOST = 200
"""Stretches of a curve, at most; where a log has no more steps, each is one."""
SMOOTHED = 40
"""The moving average reaches to each side by one stretch for so many that the curve has."""
LARGEST = 1e30
"""The largest value that is drawn."""
COLUMNS = ("step", "mean over seeds", "lowest seed", "highest seed", "smoothed")
Samples = Mapping[int, tuple[float, float]]
"""One run's values by step, each with its weight in a mean."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A value a stretch."""

    steps: Float[np.ndarray, " stretch"]
    """The middle of each."""
    means: Float[np.ndarray, " stretch"]
    lows: Float[np.ndarray, " stretch"]
    highs: Float[np.ndarray, " stretch"]
    """Of the seeds."""
    smooth: Float[np.ndarray, " stretch"]
    """Moving average of the means."""
    num_seeds: int
    num_left_out: int
    """Values that are not finite, or so large that nothing could be seen beside them."""

    @property
    def rows(self) -> list[tuple[float, ...]]:
        """The numbers, to five digits."""
        columns = (self.steps, self.means, self.lows, self.highs, self.smooth)
        return [tuple(float(f"{value:.5g}") for value in row) for row in zip(*columns, strict=True)]


def make_curve(seeds: Sequence[Samples], most: int = MOST, smoothed: bool = True) -> Curve | None:
    """The curve of a quantity in several runs; None where no run has it."""
    weighty = [{step: x for step, x in samples.items() if x[1] > 0} for samples in seeds]
    seeds = [{step: x for step, x in samples.items() if abs(x[0]) <= LARGEST} for samples in weighty]
    num_left_out = sum(map(len, weighty)) - sum(map(len, seeds))
    seeds = [samples for samples in seeds if samples]
    if not seeds:
        return None
    stretches = [part for part in np.array_split(sorted(set().union(*seeds)), most) if len(part)]
    table = np.array([[_mean(samples, stretch) for stretch in stretches] for samples in seeds])
    means = np.nanmean(table, axis=0)
    reach = round(len(means) / SMOOTHED) if smoothed else 0
    middle = np.array([float(np.mean(stretch)) for stretch in stretches])
    lows, highs = np.nanmin(table, axis=0), np.nanmax(table, axis=0)
    return Curve(middle, means, lows, highs, _smooth(means, reach), len(seeds), num_left_out)


def _mean(samples: Samples, stretch: np.ndarray) -> float:
    """The weighted mean of a run's values in a stretch; not a number where it has none."""
    values = [samples[step] for step in stretch.tolist() if step in samples]
    weights = sum(weight for _, weight in values)
    return sum(value * weight for value, weight in values) / weights if weights else float("nan")


def _smooth(values: Float[np.ndarray, " stretch"], reach: int) -> Float[np.ndarray, " stretch"]:
    """The mean of each value and its neighbours; at the ends of those that there are on both sides."""
    reaches = [min(reach, k, len(values) - 1 - k) for k in range(len(values))]
    return np.array([values[k - r : k + r + 1].mean() for k, r in enumerate(reaches)])


def draw_curve(axes: Axes, curve: Curve, mark: Mark, marker: str = "") -> None:
    """The smoothed line; behind it the range of the seeds, or of a single one what was measured."""
    if curve.num_seeds > 1:
        axes.fill_between(curve.steps, curve.lows, curve.highs, color=mark.color, alpha=0.2, linewidth=0)
    else:
        axes.plot(curve.steps, curve.means, color=mark.color, alpha=0.35, linewidth=0.7)
    every = max(1, len(curve.steps) // 5)
    above = 2.0 if mark.line == "-" else 2.5  # of two lines in one place both are seen if the broken one is above
    axes.plot(curve.steps, curve.smooth, color=mark.color, linestyle=mark.line, marker=marker, markevery=(every // 2, every),
              markersize=5, zorder=above)  # fmt: skip
