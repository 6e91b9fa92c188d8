"""Curves over training: losses, accuracies and norms of both sides of a comparison."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from egonorm.metrics import mean_norm_difference
from egonorm.report.data.runs import Comparison, ReportData
from egonorm.report.style import INK, MARKERS, SIDES, Exhibit, LineStyle, Mark, column, mark_modalities, short
from egonorm.runs.results import Record
from egonorm.runs.train_log import Step, read_log
from egonorm.sweeps.paper import display_name

MOST = 200
"""Stretches of a curve, at most; where a log has no more steps, each is one."""
SMOOTHED = 40
"""The moving average reaches to each side by one stretch for so many that the curve has."""
LARGEST = 1e30
"""The largest value that is drawn."""
CURVE_COLUMNS = ("step", "mean over seeds", "lowest seed", "highest seed", "smoothed")
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
    axes.plot(
        curve.steps,
        curve.smooth,
        color=mark.color,
        linestyle=mark.line,
        marker=marker,
        markevery=(every // 2, every),
        markersize=5,
        zorder=above,
    )


NORM, TRAINING, TEST = "mean norm", "training accuracy", "test accuracy"
Key = tuple[str, str, str, str]
"""Quantity, domain (empty for a term), modality (empty but for norms) and side."""
Curves = dict[Key, Curve]
GONE = "The logs of these runs (train.jsonl) are gone. Train the runs anew, or put their logs back."


def training_curves(comparison: Comparison, data: ReportData) -> Exhibit:
    """What the logs and rows of the comparison's runs say of their training, whatever domain the comparison was judged on."""
    name, title = (
        f"training-{comparison.name}",
        f"Through training: {display_name(comparison.method)} beside Source Only",
    )
    logs = read_logs(comparison)
    curves = _curves(comparison, logs)
    if not any(logs.values()) or not curves:
        return Exhibit(name, title, missing=GONE)
    rows = tuple((*key[:3], display_name(key[3]), *row) for key, curve in curves.items() for row in curve.rows)
    header = ("quantity", "domain", "modality", "series", *CURVE_COLUMNS)
    return Exhibit(
        name, title, _draw(comparison, curves), _tell(curves), _about(comparison, curves, logs), header, rows
    )


def read_logs(comparison: Comparison) -> dict[str, list[tuple[Step, ...]]]:
    """By side, the logs of its runs; without those that are gone."""
    return {side: [log for r in records if (log := read_log(r.folder))] for side, records in comparison.sides.items()}


def about_curves(comparison: Comparison, curves: Iterable[Curve]) -> str:
    """How the lines of the figure came about."""
    curves = tuple(curves)
    seeds, gone = max(curve.num_seeds for curve in curves), sum(curve.num_left_out for curve in curves)
    behind = f"bands from the lowest to the highest of {seeds} seeds" if seeds > 1 else "pale: as measured (one seed)"
    left_out = f" Values that are not finite, or above {LARGEST:g}, are left out: {gone}." if gone else ""
    return (
        f"Trained on {'+'.join(comparison.shift.sources)}. Lines are smoothed by a moving average, the data file has both; "
        f"{behind}.{left_out}"
    )


def _curves(comparison: Comparison, logs: Mapping[str, Sequence[tuple[Step, ...]]]) -> Curves:
    found = defaultdict(list)
    for side, several in logs.items():
        for log in several:
            for key, samples in _of_log(log).items():
                found[*key, side].append(samples)
    curves = {key: make_curve(samples) for key, samples in found.items()}
    for side, records in comparison.sides.items():
        for domain in dict.fromkeys(chain(*(record.measured for record in records))):
            measured = [_of_rows(record, domain) for record in records]
            curves[TEST, domain, "", side] = make_curve(measured, smoothed=False)
    return {key: curve for key, curve in curves.items() if curve}


def _of_log(log: Iterable[Step]) -> dict[tuple[str, str, str], dict[int, tuple[float, float]]]:
    """The values of one run by quantity, domain and modality."""
    found: dict[tuple[str, str, str], dict[int, tuple[float, float]]] = defaultdict(dict)
    for step in log:
        by_domain: dict[str, dict[str, float]] = defaultdict(dict)
        for (domain, modality), norm in step.norms.items():
            found[NORM, domain, modality][step.step] = norm, 1.0
            by_domain[domain][modality] = norm
        for domain, norms in by_domain.items():
            for names, delta in mean_norm_difference(norms).items():
                found[f"delta {names}", domain, ""][step.step] = delta, 1.0
        for name, term in step.terms.items():
            found[f"loss term: {name}", "", ""][step.step] = term, 1.0
        for domain, percent in step.accuracy.items():
            found[TRAINING, domain, ""][step.step] = percent, 1.0
    return found


def _of_rows(record: Record, domain: str) -> dict[int, tuple[float, float]]:
    return {step: (percent, 1.0) for step, percent in record.top1.get(domain, {}).items()}


def _draw(comparison: Comparison, curves: Curves) -> Figure:
    """Two panels a row: norms without and with the method, then a panel for each other quantity."""
    modalities = mark_modalities(dict.fromkeys(key[2] for key in curves if key[0] == NORM))
    domains = dict(zip(dict.fromkeys(key[1] for key in curves if key[0] != NORM and key[1]), MARKERS * 9, strict=False))
    sides = dict(zip(comparison.sides, SIDES, strict=True))
    panels = [(NORM, domain, side) for domain in dict.fromkeys(k[1] for k in curves if k[0] == NORM) for side in sides]
    panels += [(quantity, "", "") for quantity in _quantities(curves)]
    num_rows = (len(panels) + 1) // 2
    with column(1.1 + 1.75 * num_rows) as figure:
        grid = figure.subplots(num_rows, 2, squeeze=False)
        for axes, (quantity, domain, side) in zip(grid.flat, panels, strict=False):
            unit = ", %" if quantity in (TRAINING, TEST) else ""
            axes.set_title(
                f"{short(domain, 16)}, {short(display_name(side), 14)}" if side else short(quantity + unit, 34)
            )
            axes.grid(axis="y")
            for key, curve in curves.items():
                if side and (key[0], key[1], key[3]) == (quantity, domain, side):
                    draw_curve(axes, curve, modalities[key[2]])
                elif not side and key[0] == quantity:
                    draw_curve(axes, curve, sides[key[3]], domains.get(key[1], ""))
        _tidy(grid, panels)
        figure.legend(handles=_legend(modalities, sides, domains), loc="outside upper center", ncols=4)
    return figure


def _quantities(curves: Curves) -> list[str]:
    """What is drawn of both sides in one panel: deltas, terms, accuracies."""
    found = dict.fromkeys(key[0] for key in curves if key[0] != NORM)
    order = lambda name: (name == TEST, name == TRAINING, name.startswith("loss"))  # noqa: E731
    return sorted(found, key=order)


def _tidy(grid: np.ndarray, panels: Sequence[tuple[str, str, str]]) -> None:
    """Equal heights for the two panels of norms of a domain, steps below the last row, nothing where there is no panel."""
    for row, several in zip(grid, (panels[k : k + 2] for k in range(0, len(panels), 2)), strict=True):
        if several[0][2]:
            top = max(axes.get_ylim()[1] for axes in row if axes.lines)
            row[0].set_ylabel("Mean norm")
            for axes in row:
                axes.set_ylim(0, top)
        for axes in row[len(several) :]:
            axes.remove()
        for axes in row[: len(several)]:
            if not axes.lines:
                axes.set_xticks([])
                axes.text(0.5, 0.5, "nothing logged", transform=axes.transAxes, ha="center", va="center", color=INK)
            else:
                axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    for k in range(max(0, len(panels) - 2), len(panels)):
        grid.flat[k].set_xlabel("Step")


def _legend(modalities: Mapping[str, Mark], sides: Mapping[str, Mark], domains: Mapping[str, str]) -> list[Line2D]:
    lines: dict[str, tuple[str, LineStyle, str]] = {
        name: (mark.color, mark.line, "") for name, mark in modalities.items()
    }
    lines |= {display_name(side): (mark.color, mark.line, "") for side, mark in sides.items()}
    lines |= (
        {domain if marker else f"{domain} (no marks)": (INK, "", marker) for domain, marker in domains.items()}
        if len(domains) > 1
        else {}
    )
    return [
        Line2D([], [], color=color, linestyle=line, marker=marker, label=short(name, 20))
        for name, (color, line, marker) in lines.items()
    ]


def _tell(curves: Curves) -> str:
    """Where each line begins and ends."""
    found = defaultdict(list)
    for (quantity, domain, modality, side), curve in curves.items():
        ends = f"{curve.smooth[0]:.4g} to {curve.smooth[-1]:.4g}"
        found[quantity, domain].append(" ".join(filter(None, (display_name(side), modality, ends))))
    told = [
        f"{quantity}{f' in {domain}' if domain else ''}: {', '.join(lines)}."
        for (quantity, domain), lines in found.items()
    ]
    return f"From the first to the last drawn step. {' '.join(told)}"


def _about(comparison: Comparison, curves: Curves, logs: Mapping[str, Sequence[tuple[Step, ...]]]) -> str:
    told = [about_curves(comparison, curves.values())]
    gone = [display_name(side) for side, records in comparison.sides.items() if len(logs[side]) < len(records)]
    told += [f"Some logs are gone, and left out: {', '.join(gone)}."] if gone else []
    told.append(
        "Training accuracy is that of each step's clips, with dropout."
        if any(key[0] == TRAINING for key in curves)
        else "Training accuracy is not there: logs of older versions do not have it; training anew gives it."
    )
    told.append("Test accuracy is that of the kept checkpoints.")
    return " ".join(told)
