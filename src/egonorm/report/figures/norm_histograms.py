"""Figure 6, lower half: how long each modality's features are on test clips, without and with the method."""

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from egonorm.metrics import mean_norm_difference
from egonorm.report.data.runs import Comparison, ReportData
from egonorm.report.style import INK, Exhibit, Mark, column, mark_modalities, short
from egonorm.sweeps.paper import display_name

BINS = 32
_LINE = 0.2
"""Inches of a line of text."""
HEADER = ("domain", "series", "modality", "from", "to", "clips", "percent of clips", "mean of all clips")
Norms = dict[str, Float[np.ndarray, " clip"]]
"""Per modality, a norm a clip."""
Panels = dict[tuple[str, str], Norms]
"""By domain and side."""


def norm_histograms(comparison: Comparison, data: ReportData) -> Exhibit:
    """Histograms of the feature norms of every domain that both sides were judged on; the clips of all seeds together."""
    name, title = (
        f"norms-{comparison.name}",
        f"Feature norms on test clips: {display_name(comparison.method)} beside Source Only",
    )
    domains = [
        d for d in comparison.with_method[0].measured if all(d in r.measured for r in chain(*comparison.sides.values()))
    ]
    panels, lacking = _read(comparison, data, domains)
    if not panels:
        return Exhibit(
            name,
            title,
            missing=f"Predictions are gone or cannot be read ({_of(comparison, data, domains)}). "
            "Make them anew: egonorm test RUN --domain DOMAIN.",
        )
    left_out = f" Left out, for their predictions are missing or broken: {', '.join(lacking)}." if lacking else ""
    caption = (
        f"Trained on {'+'.join(comparison.shift.sources)}. A clip's norm is the mean over its windows and the selected "
        f"checkpoints ({data.selection}); the clips of all seeds ({len(comparison.without)}) together. Upright lines: means; "
        f"delta is the difference of two (Eq. 1). The paper draws the same in Figure 6, of clips that it does not name.{left_out}"
    )
    edges = _edges(panels)
    return Exhibit(name, title, _draw(panels, edges), _tell(panels), caption, HEADER, tuple(_rows(panels, edges)))


def _read(comparison: Comparison, data: ReportData, domains: Sequence[str]) -> tuple[Panels, list[str]]:
    """The norms of the domains that both sides have predictions of, and the other domains."""
    panels, lacking = {}, []
    for domain in domains:
        found = {s: [data.predicted(r, domain) for r in records] for s, records in comparison.sides.items()}
        names = {name for one in chain(*found.values()) if one is not None for name in one.norms}
        if not names or not all(one is not None and _is_whole(one.norms, names) for one in chain(*found.values())):
            lacking.append(domain)
            continue
        for side, several in found.items():
            norms = [one.norms for one in several if one is not None]
            panels[domain, side] = {m: np.concatenate([of[m] for of in norms]) for m in norms[0]}
    return panels, lacking


def _is_whole(norms: Norms, names: set[str]) -> bool:
    return set(norms) == names and all(len(x) and np.isfinite(x).all() for x in norms.values())


def _of(comparison: Comparison, data: ReportData, domains: Sequence[str]) -> str:
    """The runs that lack predictions of a domain."""
    runs = set(chain(*comparison.sides.values()))
    return ", ".join(sorted(run.folder.name for run in runs if any(data.predicted(run, d) is None for d in domains)))


def _edges(panels: Panels) -> Float[np.ndarray, " edge"]:
    """The same bins for all panels, from zero to the longest feature."""
    longest = max(float(x.max()) for norms in panels.values() for x in norms.values())
    return np.linspace(0.0, longest or 1.0, BINS + 1)


def _draw(panels: Panels, edges: Float[np.ndarray, " edge"]) -> Figure:
    domains, sides = (tuple(dict.fromkeys(names)) for names in zip(*panels, strict=True))
    modalities = mark_modalities(dict.fromkeys(name for norms in panels.values() for name in norms))
    above = _LINE * max(len(_deltas(norms)) for norms in panels.values())
    room = above / (1.45 + above)
    with column(0.9 + (1.9 + above) * len(domains)) as figure:
        grid = figure.subplots(len(domains), len(sides), sharex=True, sharey="row", squeeze=False)
        for row, domain in zip(grid, domains, strict=True):
            for axes, side in zip(row, sides, strict=True):
                _panel(axes, panels[domain, side], edges, modalities, room)
                axes.set_title(f"{short(domain, 12)}, {short(display_name(side), 14)}")
            row[0].set_ylabel("Clips, %")
            highest = max(_percents(x, edges).max() for side in sides for x in panels[domain, side].values())
            row[0].set_ylim(0, 1.05 * highest / (1 - room))
        for axes in grid[-1]:
            axes.set_xlabel("Feature norm")
        handles = [Line2D([], [], color=m.color, linestyle=m.line, label=short(name)) for name, m in modalities.items()]
        figure.legend(handles=handles, loc="outside upper center", ncols=min(4, len(handles)))
    return figure


def _panel(axes: Axes, norms: Norms, edges: Float[np.ndarray, " edge"], marks: Mapping[str, Mark], room: float) -> None:
    """Histograms and means of a panel, and above them, in a share of its height, the deltas."""
    for name, x in norms.items():
        heights, mark = _percents(x, edges), marks[name]
        axes.stairs(heights, edges, fill=True, color=mark.color, alpha=0.25)
        axes.stairs(heights, edges, color=mark.color, linestyle=mark.line, linewidth=1.4)
        axes.axvline(float(x.mean()), ymax=1 - room, color=mark.color, linestyle=mark.line, linewidth=2.2)
    told = "\n".join(f"delta {short(pair, 16)}: {value:+.2f}" for pair, value in _deltas(norms).items())
    axes.text(0.98, 0.97, told, transform=axes.transAxes, ha="right", va="top", color=INK)


def _percents(x: Float[np.ndarray, " clip"], edges: Float[np.ndarray, " edge"]) -> Float[np.ndarray, " bin"]:
    return 100 * np.histogram(x, edges)[0] / len(x)


def _deltas(norms: Norms) -> dict[str, float]:
    return mean_norm_difference({name: float(x.mean()) for name, x in norms.items()})


def _tell(panels: Panels) -> str:
    told = []
    for (domain, side), norms in panels.items():
        means = ", ".join(f"{name} {float(x.mean()):.2f}" for name, x in norms.items())
        deltas = "".join(f", delta {pair} {value:+.2f}" for pair, value in _deltas(norms).items())
        told.append(f"{domain}, {display_name(side)}: mean norms {means}{deltas}.")
    return " ".join(told)


def _rows(panels: Panels, edges: Float[np.ndarray, " edge"]) -> list[tuple[object, ...]]:
    return [
        (
            domain,
            display_name(side),
            name,
            round(float(low), 4),
            round(float(high), 4),
            int(count),
            round(100 * int(count) / len(x), 4),
            round(float(x.mean()), 4),
        )
        for (domain, side), norms in panels.items()
        for name, x in norms.items()
        for low, high, count in zip(edges[:-1], edges[1:], np.histogram(x, edges)[0], strict=True)
    ]
