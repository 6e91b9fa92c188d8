"""A report of a folder of runs, from the files to the page: a tab for each family of settings."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from egonorm.core import RunError
from egonorm.export.save import save_clips
from egonorm.report.data.predictions import changes
from egonorm.report.data.runs import REFERENCE, Pair, Source, read_source
from egonorm.report.figures.by_class import training_by_class
from egonorm.report.figures.curves import training_curves
from egonorm.report.figures.modalities import single_and_multiple
from egonorm.report.figures.norm_histograms import norm_histograms
from egonorm.report.figures.stream_metrics import stream_accuracy, top_features
from egonorm.report.page.model import Choice, Grid, Note, Page, Part, Player, Section, Tab
from egonorm.report.page.output_dir import earlier_files
from egonorm.report.page.write import write_page
from egonorm.report.sections.errors import changed_answers, confusion, mistakes, recall_by_class
from egonorm.report.sections.overview import FAMILIES, summary
from egonorm.report.sections.provenance import making
from egonorm.report.sections.results import find_numbers, results
from egonorm.report.sections.saliency import looks, wanted_clips
from egonorm.report.style import label_of
from egonorm.runs.records import Record
from egonorm.runs.results import find_runs
from egonorm.runs.selection import parse_selector


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
    source = read_source(find_runs(runs), parse_selector(select), select)
    chosen = _choose(source, method)
    pairs = tuple(pair for family in source.families for pair in of_family(source.pairs(chosen), family))
    not_saved = save_clips(wanted_clips(source, pairs, clips), progress) if clips else ()
    return write_page(compose(source, chosen, clips, not_saved), out)


def _choose(source: Source, method: str | None) -> str:
    others = [name for name in source.methods if name != REFERENCE]
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


def compose(source: Source, method: str, most: int = 2, not_saved: Sequence[str] = ()) -> Page:
    """The page that compares a method with Source Only.

    Args:
        most: how many clips are shown of each kind and shift.
        not_saved: why some clips could not be saved.
    """
    pairs = source.pairs(method)
    official = {family: of_family(pairs, family) for family in source.families}
    families = sorted(source.families, key=lambda family: not official[family])
    numbers = {family: find_numbers(source, family) for family in families}
    looked = {pair: looks(pair, source, most) for family in families for pair in official[family]}
    told = summary(source, method, tuple(looked), numbers, {pair: _players(parts) for pair, parts in looked.items()})
    tabs = tuple(
        _tab(
            source,
            method,
            results(source, family, numbers[family]),
            family,
            {pair: looked[pair] for pair in official[family]},
            most,
        )
        for family in families
    )
    modalities = Section("single-and-multiple", "Single against multiple modalities", (single_and_multiple(source),))
    title = f"{label_of(method)} against {label_of(REFERENCE)}" if pairs else "Results"
    warnings = tuple(Note(text, is_warning=True) for text in (*source.notes, *not_saved))
    return Page(title, (*told, *warnings), tabs, (modalities, making(source)))


def _players(parts: Iterable[Part]) -> tuple[Player, ...]:
    return tuple(part for part in parts if isinstance(part, Player))


def of_family(pairs: Sequence[Pair], family: str) -> tuple[Pair, ...]:
    """The pairs of a family that are judged on their settings' targets."""
    return tuple(pair for pair in pairs if pair.shift.family == family and pair.shift.is_official)


Parts = Sequence[Part]


def _tab(source: Source, method: str, grid: Grid, family: str, looked: Mapping[Pair, Parts], most: int) -> Tab:
    result = Section(f"{family}-result", "The result", (grid,))
    further = _comparison(source, family, method, looked, most) if looked else (_nothing(family, method),)
    return Tab(family, FAMILIES.get(family, family), (result, *further))


def _nothing(family: str, method: str) -> Section:
    text = (
        f"What a method changes is shown where it and {label_of(REFERENCE)} were trained with the same seeds in the same "
        f"setting; here that is not so for {label_of(method)}."
    )
    return Section(f"{family}-changes", "What it changed", (Note(text, is_warning=True),))


def _comparison(
    source: Source, family: str, method: str, looked: Mapping[Pair, Parts], most: int
) -> tuple[Section, ...]:
    pairs = tuple(looked)
    first = max(pairs, key=lambda pair: _num_changed(pair, source)).shift.title
    failed = {pair: failures(pair, source, most) for pair in pairs}

    def by_shift(name: str, parts: Callable[[Pair], Iterable[Part]]) -> Choice:
        return Choice(f"{family}-{name}", "Shift", {pair.shift.title: tuple(parts(pair)) for pair in pairs}, first)

    def by_runs(name: str, parts: Callable[[Pair], Iterable[Part]]) -> Choice:
        return Choice(
            f"{family}-{name}", "Runs", {title: tuple(parts(pair)) for title, pair in _by_runs(pairs).items()}, first
        )

    def answers(pair: Pair) -> tuple[Part, ...]:
        return (changed_answers(pair, source, {p.uid: p.name for p in _players((*failed[pair], *looked[pair]))}),)

    norms = by_runs("norms", lambda pair: [norm_histograms(pair, source)])
    changed = (stream_accuracy(pairs), norms, top_features(pairs), by_shift("answers", answers))
    trained = by_runs("training-in", lambda pair: [training_curves(pair, source), training_by_class(pair, source)])
    return (
        Section(f"{family}-changes", f"What {label_of(method)} changed", changed),
        Section(f"{family}-looks", "Where it looks", (by_shift("looks-in", looked.__getitem__),)),
        Section(f"{family}-failures", "Where it fails", (by_shift("failures-in", failed.__getitem__),)),
        Section(f"{family}-training", "Through training", (trained,)),
    )


def failures(pair: Pair, source: Source, most: int) -> tuple[Part, ...]:
    """The surest mistakes, what was taken for what, and how often each class was recognised; one warning without predictions."""
    parts = (*mistakes(pair, source, most), *confusion(pair, source), recall_by_class(pair, source))
    return parts[:1] if isinstance(parts[0], Note) and parts[0].is_warning else parts


def _num_changed(pair: Pair, source: Source) -> int:
    """On how many clips the method's answer became right or wrong."""
    found = changes(pair, source)
    return len(found.newly_right) + len(found.newly_wrong) if found else 0


def _by_runs(pairs: Sequence[Pair]) -> dict[str, Pair]:
    """One pair of those with the same runs, by all their shifts."""
    groups: dict[tuple[Record, ...], list[Pair]] = {}
    for pair in pairs:
        groups.setdefault((*pair.without, *pair.with_method), []).append(pair)
    return {", ".join(pair.shift.title for pair in group): group[0] for group in groups.values()}
