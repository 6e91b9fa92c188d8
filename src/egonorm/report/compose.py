"""From runs to a page: a tab for each family of settings, with the result, what changed, where it looks and where it fails."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from egonorm.bench.records import Record
from egonorm.report.answers import changes
from egonorm.report.failures import changed_answers, confusion, recall_by_class
from egonorm.report.looks import looks
from egonorm.report.making import making
from egonorm.report.mistakes import mistakes
from egonorm.report.names import label_of
from egonorm.report.norm_histograms import norm_histograms
from egonorm.report.outline import Choice, Grid, Note, Page, Part, Player, Section, Tab
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
    text = (f"What a method changes is shown where it and {label_of(REFERENCE)} were trained with the same seeds in the same "
            f"setting; here that is not so for {label_of(method)}.")  # fmt: skip
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
