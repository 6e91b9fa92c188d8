"""From the rows of many runs to one table: a line per method, setting and judged domain, averaged over seeds."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from statistics import fmean, stdev

from egonorm.aggregate.cells import ABOUT, Cell, Table, count_tests, gain_cells, notes
from egonorm.aggregate.paired import Comparison, References, compare, find_references, oppose, read_hits, reference_key
from egonorm.methods import SourceOnly
from egonorm.metrics import accuracy_interval
from egonorm.runs.config import Run
from egonorm.runs.records import Record, read_records
from egonorm.runs.selection import Selector


@dataclass(frozen=True)
class Line:
    """One method in one setting, judged on one domain: its runs, one a seed, and what they prove."""

    records: tuple[Record, ...]
    domain: str
    comparison: Comparison | None
    """With Source Only; None for Source Only itself, and on a domain that was learnt from and is not the target."""

    def values(self, metric: str) -> tuple[float, ...]:
        """One value a run, the mean over its selected checkpoints."""
        measured = [record.measured[self.domain] for record in self.records]
        return tuple(found[metric][0] for found in measured if metric in found)

    def numbers(self, metric: str) -> tuple[int, ...]:
        """On how many clips each run was measured; they differ where broken ones were left out."""
        measured = [record.measured[self.domain] for record in self.records]
        return tuple(found[metric][1] for found in measured if metric in found)


def summarise(folders: Iterable[Path], selector: Selector, selection: str) -> Table:
    """The table of all complete runs. RunError when none is complete."""
    records, left_out = read_records(folders, selector)
    lines = _lines(records)
    caption = [
        f"Selection: {selection} (checkpoints a run: {_some(len(record.steps) for record in records)}). Runs a line (seeds): "
        f"{_some(len(line.records) for line in lines)}. Accuracies in percent; in brackets "
        "Wilson's 95 % interval over the n clips; after ± the standard deviation over seeds. |x| is the mean feature norm, "
        "delta the difference of two of them (Eq. 1).",
        *_about_gains(lines),
        *([left_out] if left_out else []),
    ]
    return Table.of(_columns(lines), " ".join(caption))


def _lines(records: Sequence[Record]) -> list[Line]:
    groups, references, read = defaultdict(list), find_references(records), cache(read_hits)
    for record in records:
        for domain in record.measured:
            groups[record.run.method.name(), str(record.run.setting), domain, record.variant].append(record)
    names = list(dict.fromkeys(name for name, *_ in groups))
    return [
        Line(tuple(group), domain, _comparison(group, domain, references, read))
        for (*_, domain, _), group in sorted(groups.items(), key=lambda item: names.index(item[0][0]))
    ]


def _comparison(group: Sequence[Record], domain: str, references: References, read) -> Comparison | None:
    run = group[0].run
    learnt = domain in run.setting.sources and domain != run.setting.target
    if run.method == SourceOnly() or learnt or not references:
        return None
    contest = oppose(group, references.get(reference_key(run), {}), domain)
    return Comparison(None, contest) if isinstance(contest, str) else compare([contest], read)


def _about_gains(lines: Sequence[Line]) -> list[str]:
    comparisons = [line.comparison for line in lines]
    missing = Counter(comparison.missing for comparison in comparisons if comparison and not comparison.test)
    without = ", ".join(f"{reason} ({number})" for reason, number in sorted(missing.items()))
    sentences = [f"Lines without a gain: {without}."] if without else []
    if not count_tests(comparisons):
        return sentences
    return [ABOUT, f"Comparisons: {count_tests(comparisons)}.", *notes(comparisons), *sentences]


def _columns(lines: Sequence[Line]) -> dict[str, list[str | Cell]]:
    runs = [line.records[0].run for line in lines]
    columns = {"method": [run.method.name() for run in runs], "setting": [str(run.setting) for run in runs]}
    columns["tested on"] = [line.domain for line in lines]
    variants = [line.records[0].variant for line in lines]
    plain = list(zip(columns["method"], columns["setting"], strict=True))
    if len(set(zip(plain, variants, strict=True))) > len(set(plain)):
        columns["config"] = [
            f"{unlike(run, runs)} {variant}".strip() for run, variant in zip(runs, variants, strict=True)
        ]
    columns["seeds"] = [str(len(line.records)) for line in lines]
    columns["n"] = [_some(line.numbers("top1")) for line in lines]
    for metric in dict.fromkeys(metric for line in lines for metric in line.records[0].measured[line.domain]):
        if not metric.startswith(("recall/", "norm_share/")):
            columns[_title(metric)] = [_cell(metric, line) for line in lines]
        columns |= _beside(metric, lines)
    return columns


def unlike(run: Run, others: Sequence[Run]) -> str:
    """In words, what of a run's network, method and optimisation is not so in all runs."""
    told = [run.net.fusion] if len({other.net.fusion for other in others}) > 1 else []
    told += ["+".join(run.net.streams)] if len({tuple(other.net.streams) for other in others}) > 1 else []
    for name, stream in run.net.streams.items():
        if len({str(other.net.streams[name].encoder) for other in others if name in other.net.streams}) > 1:
            told.append(f"{name} by {stream.encoder}")
    same = [other.method for other in others if type(other.method) is type(run.method)]
    for field in fields(run.method):
        if len({repr(getattr(method, field.name)) for method in same}) > 1:
            told.append(f"{field.name} {getattr(run.method, field.name)}")
    told += [words for words in run.optim.unusual if any(words not in other.optim.unusual for other in others)]
    return " ".join(told)


def _beside(metric: str, lines: Sequence[Line]) -> dict[str, list[str | Cell]]:
    """The columns that stand behind a metric's."""
    if metric == "top1" and count_tests([line.comparison for line in lines]):
        gains, ps = zip(*gain_cells([line.comparison for line in lines]), strict=True)
        return {"gain": list(gains), "p": list(ps)}
    if metric == "mean_class_accuracy" and any(map(_support, lines)):
        return {"clips a class": [_support(line) for line in lines]}
    return {}


def _support(line: Line) -> str:
    """On how many clips the classes' recalls were measured, whose mean is the mean class accuracy."""
    classes = [metric for metric in line.records[0].measured[line.domain] if metric.startswith("recall/")]
    sizes = [n for metric in classes for n in line.numbers(metric)]
    return f"{min(sizes)} to {max(sizes)} ({len(classes)} classes)" if classes else ""


def _title(metric: str) -> str:
    kind, _, which = metric.partition("/")
    return {
        "top1": f"top-1 {which or 'fused'}",
        "mean_class_accuracy": "mean class",
        "mean_norm": f"|{which}|",
        "mean_norm_difference": f"delta {which}",
    }.get(kind, metric)


def _cell(metric: str, line: Line) -> str | Cell:
    values = line.values(metric)
    if not values:
        return ""
    mean, spread = fmean(values), stdev(values) if len(values) > 1 else None
    if metric.startswith("top1"):
        return Cell(mean, ".1f", spread, accuracy_interval(mean, min(line.numbers(metric))))
    return Cell(mean, ".1f" if metric == "mean_class_accuracy" else ".2f", spread)


def _some(numbers: Iterable[int]) -> str:
    """All the different numbers, in order."""
    return ", ".join(map(str, sorted(set(numbers))))
