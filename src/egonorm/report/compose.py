"""From runs to a page: a tab for each family of settings, with the result, what changed, where it looks and where it fails."""

from collections.abc import Callable, Iterable, Sequence

from egonorm.bench.records import Record
from egonorm.report.answers import changes
from egonorm.report.failures import changed_answers, confusion, recall_by_class
from egonorm.report.looks import looks
from egonorm.report.making import making
from egonorm.report.mistakes import mistakes
from egonorm.report.names import label_of
from egonorm.report.norm_histograms import norm_histograms
from egonorm.report.outline import Choice, Grid, Note, Page, Part, Section, Tab
from egonorm.report.results import find_numbers, results
from egonorm.report.single_and_multiple import single_and_multiple
from egonorm.report.source import REFERENCE, Pair, Source
from egonorm.report.stream_accuracy import stream_accuracy
from egonorm.report.summary import FAMILIES, summary
from egonorm.report.top_features import top_features
from egonorm.report.training_by_class import training_by_class
from egonorm.report.training_curves import training_curves


def compose(source: Source, method: str, most: int = 2, not_saved: Sequence[str] = ()) -> Page:
    """The page that compares a method with Source Only.

    Args:
        most: how many clips are shown of each kind and shift.
        not_saved: why some clips could not be saved.
    """
    pairs = source.pairs(method)
    numbers = {family: find_numbers(source, family) for family in source.families}
    tabs = tuple(
        _tab(source, method, results(source, family, numbers[family]), family, of_family(pairs, family), most)
        for family in source.families
    )
    modalities = Section("single-and-multiple", "Single against multiple modalities", (single_and_multiple(source),))
    title = f"{label_of(method)} against {label_of(REFERENCE)}" if pairs else "Results"
    told = [pair for family in source.families for pair in of_family(pairs, family)]
    lead = (*summary(source, method, told, numbers), *(Note(text, is_warning=True) for text in not_saved))
    return Page(title, lead, tabs, (modalities, making(source)))


def of_family(pairs: Sequence[Pair], family: str) -> tuple[Pair, ...]:
    """The pairs of a family that are judged on their settings' targets."""
    return tuple(pair for pair in pairs if pair.shift.family == family and pair.shift.is_official)


def _tab(source: Source, method: str, grid: Grid, family: str, pairs: Sequence[Pair], most: int) -> Tab:
    result = Section(f"{family}-result", "The result", (grid,))
    further = _comparison(source, family, method, pairs, most) if pairs else (_nothing(family, method),)
    return Tab(family, FAMILIES.get(family, family), (result, *further))


def _nothing(family: str, method: str) -> Section:
    text = (f"What a method changes is shown where it and {label_of(REFERENCE)} were trained with the same seeds in the same "
            f"setting; here that is not so for {label_of(method)}.")  # fmt: skip
    return Section(f"{family}-changes", "What it changed", (Note(text, is_warning=True),))


def _comparison(source: Source, family: str, method: str, pairs: Sequence[Pair], most: int) -> tuple[Section, ...]:
    def by_shift(name: str, parts: Callable[[Pair], Iterable[Part]]) -> Choice:
        first = max(pairs, key=lambda pair: _num_changed(pair, source)).shift.title
        return Choice(f"{family}-{name}", "Shift", {pair.shift.title: tuple(parts(pair)) for pair in pairs}, first)

    def by_runs(name: str, parts: Callable[[Pair], Iterable[Part]]) -> Choice:
        return Choice(
            f"{family}-{name}", "Runs", {title: tuple(parts(pair)) for title, pair in _by_runs(pairs).items()}
        )

    changed = (
        stream_accuracy(pairs),
        by_runs("norms", lambda pair: [norm_histograms(pair, source)]),
        top_features(pairs),
        by_shift("answers", lambda pair: [changed_answers(pair, source)]),
    )
    looked = by_shift("looks-in", lambda pair: looks(pair, source, most))
    failed = by_shift("failures-in", lambda pair: failures(pair, source, most))
    trained = by_runs("training-in", lambda pair: [training_curves(pair, source), training_by_class(pair, source)])
    return (
        Section(f"{family}-changes", f"What {label_of(method)} changed", changed),
        Section(f"{family}-looks", "Where it looks", (looked,)),
        Section(f"{family}-failures", "Where it fails", (failed,)),
        Section(f"{family}-training", "Through training", (trained,)),
    )


def failures(pair: Pair, source: Source, most: int) -> Iterable[Part]:
    """The surest mistakes, what was taken for what, and how often each class was recognised; one warning without predictions."""
    parts = (*mistakes(pair, source, most), *confusion(pair, source), recall_by_class(pair, source))
    return dict.fromkeys(parts) if isinstance(parts[0], Note) and parts[0].is_warning else parts


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
