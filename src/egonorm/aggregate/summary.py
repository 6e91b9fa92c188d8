"""From the rows of many runs to one table: a line per method, setting and judged domain, averaged over seeds."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from egonorm.aggregate.aggregate import Aggregate, Aggregates
from egonorm.aggregate.cells import Cell, Table, about_gains, average_cell, gain_cell, p_cell
from egonorm.aggregate.group import describe_differences
from egonorm.runs.config import Run
from egonorm.runs.records import Record, Runs, read_records
from egonorm.runs.selection import Selector


def summarise(folders: Iterable[Path], selector: Selector, selection: str) -> Table:
    """The table of all complete runs. RunError when none is complete."""
    records, left_out = read_records(folders, selector)
    aggregates = Aggregates(records)
    lines = _sorted(aggregates.in_shifts())
    caption = [
        f"Selection: {selection} (checkpoints a run: {_some(len(record.steps) for record in records)}). Runs a line (seeds): "
        f"{_some(len(line.seeds) for line in lines)}. Accuracies in percent; in brackets "
        "Wilson's 95 % interval over the n clips; after ± the standard deviation over seeds. |x| is the mean feature norm, "
        "delta the difference of two of them (Eq. 1).",
        *about_gains(lines),
        *_about_missing(lines),
        *about_runs(lines, aggregates),
        *([left_out] if left_out else []),
    ]
    return Table.of(_columns(lines), " ".join(caption))


def about_runs(lines: Iterable[Aggregate], aggregates: Aggregates) -> list[str]:
    """Sentences about clips and runs that do not count everywhere."""
    sentences = []
    if any(len(set(_sizes(some, shift.domain))) > 1 for line in lines for shift, some in line.runs.items()):
        sentences.append("Where runs of a line were judged on different numbers of clips, n is the smallest.")
    if number := aggregates.not_shown:
        sentences.append(
            f"Counted once: {number} times a run was judged where another of the same training and seed stands in the table."
        )
    return sentences


def _sorted(lines: Sequence[Aggregate]) -> list[Aggregate]:
    """By method, in the order in which the first run of each stands."""
    names = list(dict.fromkeys(line.group.method for line in lines))
    return sorted(lines, key=lambda line: names.index(line.group.method))


def _about_missing(lines: Iterable[Aggregate]) -> list[str]:
    missing = Counter(line.gain.missing for line in lines if line.gain is not None and line.gain.test is None)
    reasons = ", ".join(f"{reason} ({number})" for reason, number in sorted(missing.items()))
    return [f"Lines without a gain: {reasons}."] if reasons else []


def _columns(lines: Sequence[Aggregate]) -> dict[str, list[str | Cell]]:
    columns: dict[str, list[str | Cell]] = {
        "method": [line.group.method for line in lines],
        "setting": [str(_run(line).setting) for line in lines],
        "tested on": [_domain(line) for line in lines],
        **_configurations(lines),
        "seeds": [str(len(line.seeds)) for line in lines],
        "n": [str(line.top1.n) if line.top1 else "" for line in lines],
    }
    for metric in dict.fromkeys(metric for line in lines for metric in _measured(line)):
        if not metric.startswith(("recall/", "norm_share/")):
            columns[_title(metric)] = [average_cell(line.average(metric), _form(metric)) for line in lines]
        columns |= _beside(metric, lines)
    return columns


def _configurations(lines: Sequence[Aggregate]) -> dict[str, list[str | Cell]]:
    """A column that tells lines of one method in one setting apart, where there are such."""
    runs, variants = [_run(line) for line in lines], [_record(line).variant for line in lines]
    named = [(line.group.method, str(run.setting)) for line, run in zip(lines, runs, strict=True)]
    if len(set(zip(named, variants, strict=True))) == len(set(named)):
        return {}
    words = describe_differences(runs)
    return {"config": [f"{said} {variant}".strip() for said, variant in zip(words, variants, strict=True)]}


def _beside(metric: str, lines: Sequence[Aggregate]) -> dict[str, list[str | Cell]]:
    """The columns that stand behind a metric's."""
    gains = [line.gain for line in lines]
    if metric == "top1" and any(gain is not None and gain.test is not None for gain in gains):
        return {"gain": [gain_cell(gain) for gain in gains], "p": [p_cell(gain) for gain in gains]}
    if metric == "mean_class_accuracy" and any(map(_support, lines)):
        return {"clips a class": [_support(line) for line in lines]}
    return {}


def _support(line: Aggregate) -> str:
    """On how many clips the classes' recalls were measured, whose mean is the mean class accuracy."""
    classes = [metric for metric in _measured(line) if metric.startswith("recall/")]
    sizes = [n for metric in classes for some in line.runs.values() for n in _sizes(some, _domain(line), metric)]
    return f"{min(sizes)} to {max(sizes)} ({len(classes)} classes)" if classes else ""


def _sizes(runs: Runs, domain: str, metric: str = "top1") -> list[int]:
    """On how many clips each run was measured; they differ where broken ones were left out."""
    measured = [record.measured[domain] for record in runs.values()]
    return [found[metric][1] for found in measured if metric in found]


def _title(metric: str) -> str:
    kind, _, which = metric.partition("/")
    return {
        "top1": f"top-1 {which or 'fused'}",
        "mean_class_accuracy": "mean class",
        "mean_norm": f"|{which}|",
        "mean_norm_difference": f"delta {which}",
    }.get(kind, metric)


def _form(metric: str) -> str:
    return ".1f" if metric.startswith(("top1", "mean_class_accuracy")) else ".2f"


def _domain(line: Aggregate) -> str:
    return line.shifts[0].domain


def _record(line: Aggregate) -> Record:
    return line.records[0]


def _run(line: Aggregate) -> Run:
    return _record(line).run


def _measured(line: Aggregate) -> Mapping[str, tuple[float, int]]:
    return _record(line).measured[_domain(line)]


def _some(numbers: Iterable[int]) -> str:
    """All the different numbers, in order."""
    return ", ".join(map(str, sorted(set(numbers))))
