"""From the rows of many runs to one table: a line per method, setting and judged domain, averaged over seeds."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev

from egonorm.bench.config import read_run
from egonorm.bench.select import Selector
from egonorm.bench.table import COMPLETE, Row, is_complete, read_rows
from egonorm.core import RunError
from egonorm.metrics import accuracy_interval


@dataclass(frozen=True)
class Cell:
    """A number with what says how sure it is: its spread over seeds, and its interval."""

    mean: float
    digits: int
    spread: float | None = None
    interval: tuple[float, float] | None = None

    def __str__(self) -> str:
        spread = "" if self.spread is None else f" ± {self.spread:.1f}"
        interval = "" if self.interval is None else f" [{self.interval[0]:.0f}, {self.interval[1]:.0f}]"
        return f"{self.mean:.{self.digits}f}{spread}{interval}"


@dataclass(frozen=True)
class Table:
    """Words and numbers under a header, and a caption that says how the numbers came about."""

    header: tuple[str, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    caption: str


@dataclass(frozen=True)
class Line:
    """One method in one setting, judged on one domain: its runs' selected and averaged values."""

    method: str
    setting: str
    domain: str
    variant: str
    num_clips: tuple[int, ...]
    """How many clips each run was judged on; they differ where broken ones were left out."""
    num_checkpoints: tuple[int, ...]
    """How many checkpoints speak for each run."""
    values: dict[str, tuple[float, ...]]
    """Per metric, one value a run."""


def summarise(folders: Iterable[Path], selector: Selector, selection: str) -> Table:
    """The table of all complete runs. RunError when none is complete."""
    folders = tuple(folders)
    whole = [folder for folder in folders if is_complete(folder)]
    if not whole:
        raise RunError("There is no complete run to tabulate.", got=f"{len(folders)} unfinished", expected="a complete run",
                       remedy=f"Finish one: egonorm train --resume {folders[0]}")  # fmt: skip
    lines = _lines(whole, selector)
    skipped = f" Unfinished runs left out: {len(folders) - len(whole)}." if len(whole) < len(folders) else ""
    caption = (
        f"Selection: {selection} (checkpoints a run: {_some(line.num_checkpoints for line in lines)}). Runs a line (seeds): "
        f"{_some((len(line.num_clips),) for line in lines)}. Accuracies in percent; in brackets "
        "Wilson's 95 % interval over the n clips; after ± the standard deviation over seeds. |x| is the mean feature norm, "
        f"delta the difference of two of them (Eq. 1).{skipped}"
    )
    return _table(lines, caption)


def _lines(folders: Sequence[Path], selector: Selector) -> list[Line]:
    groups = defaultdict(list)
    for folder in folders:
        run = read_run(folder)
        rows = [row for row in read_rows(folder) if row.metric != COMPLETE]
        chosen = set(selector(rows))
        variant = replace(run, seed=0).name.rpartition("-")[2]
        for domain in dict.fromkeys(row.domain for row in rows):
            groups[run.method.name(), str(run.setting), domain, variant].append(
                [row for row in rows if row.domain == domain and row.step in chosen]
            )
    return [
        Line(
            *key, tuple(rows[0].n for rows in runs), tuple(len({r.step for r in rows}) for rows in runs), _values(runs)
        )
        for key, runs in groups.items()
    ]


def _some(numbers: Iterable[tuple[int, ...]]) -> str:
    """All the different numbers, in order."""
    return ", ".join(map(str, sorted({number for several in numbers for number in several})))


def _values(runs: Sequence[Sequence[Row]]) -> dict[str, tuple[float, ...]]:
    """Per metric of all runs: each run's mean over its selected checkpoints."""
    metrics = dict.fromkeys(row.metric for row in runs[0])
    return {m: tuple(fmean(row.value for row in rows if row.metric == m) for rows in runs) for m in metrics}


def _table(lines: Sequence[Line], caption: str) -> Table:
    metrics = tuple(dict.fromkeys(metric for line in lines for metric in line.values))
    variants = len({(line.method, line.setting, line.variant) for line in lines})
    shows_variant = variants > len({(line.method, line.setting) for line in lines})
    header = ("method", "setting", "tested on", *(["config"] if shows_variant else []), "n", *map(_title, metrics))
    rows = tuple(
        (
            line.method,
            line.setting,
            line.domain,
            *([line.variant] if shows_variant else []),
            _some([line.num_clips]),
            *tuple(_cell(metric, line.values.get(metric), min(line.num_clips)) for metric in metrics),
        )
        for line in lines
    )
    return Table(header, rows, caption)


def _title(metric: str) -> str:
    kind, _, which = metric.partition("/")
    return {
        "top1": f"top-1 {which or 'fused'}",
        "mean_class_accuracy": "mean class",
        "mean_norm": f"|{which}|",
        "mean_norm_difference": f"delta {which}",
    }.get(kind, metric)


def _cell(metric: str, values: Sequence[float] | None, n: int) -> str | Cell:
    if values is None:
        return ""
    mean, spread = fmean(values), stdev(values) if len(values) > 1 else None
    if metric.startswith("top1"):
        return Cell(mean, 1, spread, accuracy_interval(mean, n))
    return Cell(mean, 1 if metric == "mean_class_accuracy" else 2, spread)
