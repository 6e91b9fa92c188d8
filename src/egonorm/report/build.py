"""A report of a folder of runs, from the files to the page: a tab for each family of settings."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from egonorm.core import RunError
from egonorm.export.save import save_clips
from egonorm.report.data.paper import describe_unlike_paper
from egonorm.report.data.predictions import changes
from egonorm.report.data.runs import REFERENCE, Comparison, ReportData, read_report_data
from egonorm.report.figures.by_class import training_by_class
from egonorm.report.figures.curves import training_curves
from egonorm.report.figures.modalities import single_and_multiple
from egonorm.report.figures.norm_histograms import norm_histograms
from egonorm.report.figures.stream_metrics import stream_accuracy, top_features
from egonorm.report.page.model import Choice, Element, Note, Page, Player, Section, Tab
from egonorm.report.page.output_dir import earlier_files
from egonorm.report.page.write import write_page
from egonorm.report.sections.errors import changed_answers, confusion, mistakes, recall_by_class
from egonorm.report.sections.overview import FAMILY_TITLES, summary
from egonorm.report.sections.provenance import making
from egonorm.report.sections.results import Results, find_results, results
from egonorm.report.sections.saliency import looks, wanted_clips
from egonorm.runs.results import Record, find_runs, parse_selector
from egonorm.sweeps.paper import display_name


def make_report(
    runs: Path,
    out: Path,
    method: str | None = None,
    select: str = "last-mean:9",
    clips: int = 2,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Write the page that compares a method with Source Only, and save in the runs' folders the clips that it shows.

    Args:
        method: by its name; None takes RNA-Net if there are runs of it, else the first other method.
        clips: how many are shown of each kind and shift.

    Raises:
        RunError: when no run is complete, none is of the method, or `out` holds something that is no report.
    """
    earlier_files(out)  # refuses a folder that holds something else before anything is computed
    data = read_report_data(find_runs(runs), parse_selector(select), select)
    chosen = _choose(data, method)
    comparisons = tuple(
        comparison for family in data.families for comparison in of_family(data.comparisons(chosen), family)
    )
    not_saved = save_clips(wanted_clips(data, comparisons, clips), progress) if clips else ()
    return write_page(compose(data, chosen, clips, not_saved), out)


def _choose(data: ReportData, method: str | None) -> str:
    others = [name for name in data.methods if name != REFERENCE]
    if method is None:
        return next(iter(others), REFERENCE)
    if method == REFERENCE:
        raise RunError(
            f"{REFERENCE} cannot be compared with itself.",
            got=f"--method {REFERENCE}",
            expected=" or ".join(others) or "another method",
            remedy="Name another method.",
        )
    if method not in others:
        raise RunError(
            f"There is no complete run of {method!r} to compare.",
            got=method,
            expected=" or ".join(others) or f"a method beside {REFERENCE}",
            remedy="Correct --method, or train it first.",
        )
    return method


def compose(data: ReportData, method: str, most: int = 2, not_saved: Sequence[str] = ()) -> Page:
    """The page that compares a method with Source Only.

    Args:
        most: how many clips are shown of each kind and shift.
        not_saved: why some clips could not be saved.
    """
    comparisons = data.comparisons(method)
    official = {family: of_family(comparisons, family) for family in data.families}
    families = sorted(data.families, key=lambda family: not official[family])
    found = {family: find_results(data, family) for family in families}
    looked = {comparison: looks(comparison, data, most) for family in families for comparison in official[family]}
    told = summary(
        data, method, tuple(looked), found, {comparison: _players(parts) for comparison, parts in looked.items()}
    )
    tabs = tuple(
        _tab(
            data,
            method,
            found[family],
            family,
            {comparison: looked[comparison] for comparison in official[family]},
            most,
        )
        for family in families
    )
    modalities = Section("single-and-multiple", "Single against multiple modalities", (single_and_multiple(data),))
    title = f"{display_name(method)} against {display_name(REFERENCE)}" if comparisons else "Results"
    warnings = tuple(Note(text, is_warning=True) for text in (*data.notes, *not_saved))
    return Page(title, (*told, *warnings), tabs, (modalities, making(data)))


def _players(parts: Iterable[Element]) -> tuple[Player, ...]:
    return tuple(part for part in parts if isinstance(part, Player))


def of_family(comparisons: Sequence[Comparison], family: str) -> tuple[Comparison, ...]:
    """The comparisons of a family that are judged on their settings' targets."""
    return tuple(
        comparison for comparison in comparisons if comparison.shift.family == family and comparison.shift.is_official
    )


Elements = Sequence[Element]


def _tab(
    data: ReportData, method: str, found: Results, family: str, looked: Mapping[Comparison, Elements], most: int
) -> Tab:
    about_paper = [Note(describe_unlike_paper(data.records))] if found.has_paper else []
    result = Section(f"{family}-result", "The result", (results(data, family, found), *about_paper))
    further = _comparison(data, family, method, looked, most) if looked else (_nothing(family, method),)
    return Tab(family, FAMILY_TITLES.get(family, family), (result, *further))


def _nothing(family: str, method: str) -> Section:
    text = (
        f"What a method changes is shown where it and {display_name(REFERENCE)} were trained with the same seeds in the same "
        f"setting; here that is not so for {display_name(method)}."
    )
    return Section(f"{family}-changes", "What it changed", (Note(text, is_warning=True),))


def _comparison(
    data: ReportData, family: str, method: str, looked: Mapping[Comparison, Elements], most: int
) -> tuple[Section, ...]:
    comparisons = tuple(looked)
    first = max(comparisons, key=lambda comparison: _num_changed(comparison, data)).shift.title
    failed = {comparison: failures(comparison, data, most) for comparison in comparisons}

    def by_shift(name: str, parts: Callable[[Comparison], Iterable[Element]]) -> Choice:
        return Choice(
            f"{family}-{name}",
            "Shift",
            {comparison.shift.title: tuple(parts(comparison)) for comparison in comparisons},
            first,
        )

    def by_runs(name: str, parts: Callable[[Comparison], Iterable[Element]]) -> Choice:
        return Choice(
            f"{family}-{name}",
            "Runs",
            {title: tuple(parts(comparison)) for title, comparison in _by_runs(comparisons).items()},
            first,
        )

    def answers(comparison: Comparison) -> tuple[Element, ...]:
        return (
            changed_answers(
                comparison, data, {p.uid: p.name for p in _players((*failed[comparison], *looked[comparison]))}
            ),
        )

    norms = by_runs("norms", lambda comparison: [norm_histograms(comparison, data)])
    changed = (stream_accuracy(comparisons), norms, top_features(comparisons), by_shift("answers", answers))
    trained = by_runs(
        "training-in", lambda comparison: [training_curves(comparison, data), training_by_class(comparison, data)]
    )
    return (
        Section(f"{family}-changes", f"What {display_name(method)} changed", changed),
        Section(f"{family}-looks", "Where it looks", (by_shift("looks-in", looked.__getitem__),)),
        Section(f"{family}-failures", "Where it fails", (by_shift("failures-in", failed.__getitem__),)),
        Section(f"{family}-training", "Through training", (trained,)),
    )


def failures(comparison: Comparison, data: ReportData, most: int) -> tuple[Element, ...]:
    """The surest mistakes, what was taken for what, and how often each class was recognised; one warning without predictions."""
    parts = (*mistakes(comparison, data, most), *confusion(comparison, data), recall_by_class(comparison, data))
    return parts[:1] if isinstance(parts[0], Note) and parts[0].is_warning else parts


def _num_changed(comparison: Comparison, data: ReportData) -> int:
    """On how many clips the method's answer became right or wrong."""
    found = changes(comparison, data)
    return len(found.newly_right) + len(found.newly_wrong) if found else 0


def _by_runs(comparisons: Sequence[Comparison]) -> dict[str, Comparison]:
    """One comparison of those with the same runs, by all their shifts."""
    groups: dict[tuple[Record, ...], list[Comparison]] = {}
    for comparison in comparisons:
        groups.setdefault((*comparison.without, *comparison.with_method), []).append(comparison)
    return {", ".join(comparison.shift.title for comparison in group): group[0] for group in groups.values()}
