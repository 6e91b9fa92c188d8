"""Through training, class by class: norms and accuracy of the clips of each class, without and with the method."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from egonorm.report.data.runs import Comparison, ReportData
from egonorm.report.figures.curves import CURVE_COLUMNS, GONE, Curve, about_curves, draw_curve, make_curve, read_logs
from egonorm.report.style import SIDES, Exhibit, Mark, column, mark_modalities, short
from egonorm.runs.train_log import Step
from egonorm.sweeps.paper import display_name

ACCURACY, NORM = "training accuracy", "mean norm"
MOST_STRETCHES = 60
"""A step has few clips of a class; more are averaged here than where all classes are together."""
MOST_ROWS = 16
"""Classes that are drawn, over all domains: those with most clips in training."""
ClassKey = tuple[str, str, str, str, str]
"""Domain, class, quantity, modality (of norms) and side."""
ClassCurves = dict[ClassKey, Curve]


def training_by_class(comparison: Comparison, data: ReportData) -> Exhibit:
    """Norms and training accuracy of each class and domain, as small multiples."""
    name, title = (
        f"classes-{comparison.name}",
        f"Through training, by class: {display_name(comparison.method)} beside Source Only",
    )
    logs = read_logs(comparison)
    if not any(logs.values()):
        return Exhibit(name, title, missing=GONE)
    curves, clips = _curves(logs)
    if not curves:
        return Exhibit(
            name,
            title,
            missing="The logs of these runs do not tell classes apart; those of older versions do not. "
            "Training anew gives some that do.",
        )
    drawn = _chosen(clips)
    rows = tuple((*key[:4], display_name(key[4]), *row) for key, curve in curves.items() for row in curve.rows)
    header = ("domain", "class", "quantity", "modality", "series", *CURVE_COLUMNS)
    return Exhibit(
        name,
        title,
        _draw(comparison, curves, drawn),
        _tell(curves, drawn),
        _about(comparison, curves, clips, drawn),
        header,
        rows,
    )


def _curves(logs: Mapping[str, Sequence[tuple[Step, ...]]]) -> tuple[ClassCurves, dict[tuple[str, str], int]]:
    """The curves, and how many clips the logs tell of by domain and class."""
    found: dict[tuple[str, str, str, str, str], list[Mapping[int, tuple[float, float]]]] = defaultdict(list)
    clips: dict[tuple[str, str], int] = defaultdict(int)
    for side, several in logs.items():
        for log in several:
            for key, samples in _of_log(log, clips).items():
                found[*key, side].append(samples)
    curves = {key: curve for key, samples in found.items() if (curve := make_curve(samples, MOST_STRETCHES))}
    shown = {key[:2] for key in curves}
    return curves, {place: number for place, number in clips.items() if place in shown}


def _of_log(
    log: Iterable[Step], clips: dict[tuple[str, str], int]
) -> dict[tuple[str, str, str, str], dict[int, tuple[float, float]]]:
    """One run's values by domain, class, quantity and modality, each weighted by its clips, which are counted too."""
    found: dict[tuple[str, str, str, str], dict[int, tuple[float, float]]] = defaultdict(dict)
    for step in log:
        for domain, classes in step.classes.items():
            for label, about in classes.items():
                found[domain, label, ACCURACY, ""][step.step] = about.accuracy, float(about.n)
                for modality, norm in about.norms.items():
                    found[domain, label, NORM, modality][step.step] = norm, float(about.n)
                clips[domain, label] += about.n
    return found


def _chosen(clips: Mapping[tuple[str, str], int]) -> list[tuple[str, str]]:
    """The domains and classes that are drawn: by domain, those with most clips first."""
    domains = dict.fromkeys(domain for domain, _ in clips)
    each = max(1, MOST_ROWS // len(domains))
    most = sorted(clips, key=lambda place: (-clips[place], place))
    return [place for domain in domains for place in [p for p in most if p[0] == domain][:each]]


def _draw(comparison: Comparison, curves: ClassCurves, drawn: Sequence[tuple[str, str]]) -> Figure:
    """A row a class: norms on the left, accuracy on the right."""
    modalities = mark_modalities(dict.fromkeys(key[3] for key in curves if key[2] == NORM))
    sides = dict(zip(comparison.sides, SIDES, strict=True))
    marks = {
        (name, side): Mark(mark.color, "", line.line, "")
        for name, mark in modalities.items()
        for side, line in sides.items()
    }
    marks |= {("", side): mark for side, mark in sides.items()}
    with column(1.1 + 1.2 * len(drawn)) as figure:
        grid = figure.subplots(len(drawn), 2, sharex=True, sharey="col", squeeze=False)
        for row, place in zip(grid, drawn, strict=True):
            for axes, quantity in zip(row, (NORM, ACCURACY), strict=True):
                axes.grid(axis="y")
                for (*key, modality, side), curve in curves.items():
                    if tuple(key) == (*place, quantity):
                        draw_curve(axes, curve, marks[modality, side])
            row[0].set_title(f"{short(place[1], 20)}, {short(place[0], 13)}")
            row[0].set_ylabel("Norm")
            row[1].set_title("accuracy, %")
            row[1].set_ylim(-5, 105)
        for axes in grid[-1]:
            axes.set_xlabel("Step")
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        figure.legend(handles=_legend(modalities, sides), loc="outside upper center", ncols=2)
    return figure


def _legend(modalities: Mapping[str, Mark], sides: Mapping[str, Mark]) -> list[Line2D]:
    lines = {
        f"{short(name, 14)}, {short(display_name(side), 14)}": (mark.color, line.line)
        for name, mark in modalities.items()
        for side, line in sides.items()
    }
    lines |= {f"accuracy, {short(display_name(side), 14)}": (mark.color, mark.line) for side, mark in sides.items()}
    return [Line2D([], [], color=color, linestyle=line, label=label) for label, (color, line) in lines.items()]


def _tell(curves: ClassCurves, drawn: Sequence[tuple[str, str]]) -> str:
    """Where each class ends."""
    told = []
    for place in drawn:
        last = [
            f"{display_name(side)} {modality or 'accuracy'} {curve.smooth[-1]:.3g}{'' if modality else ' %'}"
            for (*key, _, modality, side), curve in curves.items()
            if tuple(key) == place
        ]
        told.append(f"{place[1]} in {place[0]}: {', '.join(last)}.")
    return f"Mean norms and training accuracy at the end. {' '.join(told)}"


def _about(
    comparison: Comparison, curves: ClassCurves, clips: Mapping[tuple[str, str], int], drawn: Sequence[tuple[str, str]]
) -> str:
    counts = [clips[place] for place in drawn]
    left_out = (
        f" {len(clips) - len(drawn)} classes with fewer are in the data file alone." if len(clips) > len(drawn) else ""
    )
    return (
        f"{about_curves(comparison, curves.values())} Of the clips of every tenth step: {min(counts)} to {max(counts)} clips "
        f"a class over all runs.{left_out} The classes of domains without labels are not known to training."
    )
