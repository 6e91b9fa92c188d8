"""Tables of runs: cells, a line per method, setting and judged domain, and their text for terminals, Markdown, CSV or LaTeX."""

import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from egonorm.aggregate.aggregate import Aggregate, Aggregates, Average, describe_differences, read_aggregates
from egonorm.aggregate.paired import Gain, describe_families
from egonorm.core.text import csv_of, one_line, printable
from egonorm.methods import SourceOnly
from egonorm.metrics.statistics import NOT_ABOVE_CHANCE, ONE_ANSWER, SHORT
from egonorm.runs.results import Record, Runs, Selector


@dataclass(frozen=True)
class Cell:
    """A number with what says how sure it is: its deviation over seeds, and its interval."""

    mean: float
    form: str
    """How it is written, as Python's format writes it."""
    deviation: float | None = None
    interval: tuple[float, float] | None = None
    ends: str = ".0f"
    """How the ends of the interval are written."""
    mark: str = ""
    """A sign behind it that the caption explains."""

    def __str__(self) -> str:
        deviation = "" if self.deviation is None else f" ± {self.deviation:.1f}"
        interval = "" if self.interval is None else f" [{', '.join(format(end, self.ends) for end in self.interval)}]"
        return f"{self.mean:{self.form}}{deviation}{interval}{self.mark and f' {self.mark}'}"


@dataclass(frozen=True)
class Table:
    """Words and numbers under a header, and a caption that says how the numbers came about."""

    header: tuple[str, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    caption: str
    left_out: str = ""
    """What of the caption is about runs that are not in the table; for a form without caption."""

    @classmethod
    def of(cls, columns: dict[str, list[str | Cell]], caption: Iterable[str], left_out: str = "") -> "Table":
        """The table of these columns, each under its title, and the sentences of its caption."""
        told = " ".join(filter(None, [*caption, left_out]))
        return cls(tuple(columns), tuple(zip(*columns.values(), strict=True)), told, left_out)


ONE_SEED, DEAD, BELOW_STREAM = "‡", "§", "¶"
ABOUT = (
    "gain is the top-1 minus that of Source Only with the same seeds on the same clips, in brackets its 95 % interval (for it "
    "alone) over new seeds and new clips at once; p is how probable a gain of that size, up or down, is at most if there is none "
    "(two-way test, seeds and clips at random: docs/statistics.md), after Holm's correction; the bound is 0.05."
)
ABOUT_ONE_SEED = (
    f"{ONE_SEED} one seed: over new clips alone; where seeds differ, such an interval and p are worth nothing."
)
ABOUT_NETWORKS = (
    "Source Only with fewer streams or other fusion is compared with that with all streams and late fusion."
)


def average_cell(average: Average | None, form: str, mark: str) -> str | Cell:
    """An average with its deviation and its interval."""
    return "" if average is None else Cell(average.mean, form, average.deviation, average.interval, mark=mark)


def chance_cell(line: Aggregate | None) -> str | Cell:
    """The accuracy of one answer for all clips, empty where it is not known."""
    return "" if line is None or line.chance is None else Cell(line.chance, ".1f")


def fused_mark(line: Aggregate | None) -> str:
    """The mark of an accuracy of fused scores that is below that of a stream alone."""
    return BELOW_STREAM if line is not None and line.better_stream else ""


def about_streams(lines: Iterable[Aggregate]) -> list[str]:
    """Sentences of a caption: what chance is, and what marks say of dead streams and of fusion that loses."""
    lines, sentences = tuple(lines), []
    if any(line.chance is not None for line in lines):
        sentences.append("chance: one answer for all clips, that of the class with most clips.")
    dead = Counter(why for line in lines for _, why in line.dead)
    if dead:
        reasons = "; ".join(f"{why} ({number})" for why, number in sorted(dead.items()))
        sentences.append(
            f"{DEAD} a stream that is dead, or not told from chance, in one run or more of its line: {reasons}."
        )
    if any(line.better_stream for line in lines):
        sentences.append(f"{BELOW_STREAM} the fused network loses to its best single stream.")
    return sentences


def gain_cell(gain: Gain | None) -> str | Cell:
    """The gain, empty where there is no test."""
    return "" if gain is None or gain.test is None else Cell(gain.mean, "+z.1f", gain.deviation, gain.interval, "+z.1f")


def p_cell(gain: Gain | None) -> str | Cell:
    """Its corrected p, empty where there is no test."""
    if gain is None or gain.test is None or gain.p is None:
        return ""
    return Cell(gain.p, ".2g", mark=ONE_SEED if gain.test.num_seeds == 1 else "")


def about_gains(lines: Sequence[Aggregate]) -> list[str]:
    """Sentences of a caption: what gains and p are, which are corrected together, and what some are like and need not be."""
    gains = [line.gain for line in lines if line.gain is not None and line.gain.test is not None]
    if not gains:
        return []
    sentences = [
        ABOUT,
        f"Comparisons corrected together, by family of settings in the whole folder: {describe_families(gains)}.",
    ]
    if any(line.gain in gains and line.group.configured == SourceOnly() for line in lines):
        sentences.append(ABOUT_NETWORKS)
    if any(gain.test and gain.test.num_seeds == 1 for gain in gains):
        sentences.append(ABOUT_ONE_SEED)
    if most := max(gain.left_out for gain in gains):
        sentences.append(f"Clips that not all compared runs were judged on do not count for gain and p: up to {most}.")
    if number := sum(bool(gain.unmatched) for gain in gains):
        sentences.append(
            f"Seeds that one side of a comparison has alone do not count for gain and p: {number} of them."
        )
    return sentences


def summarise(folders: Iterable[Path], selector: Selector, selection: str) -> Table:
    """The table of all complete runs. RunError when none is complete."""
    aggregates, left_out = read_aggregates(folders, selector)
    lines, num_checkpoints = _sorted(aggregates.in_shifts()), [len(record.steps) for record in aggregates.records]
    caption = [
        f"Selection: {selection} (checkpoints a run: {_some(num_checkpoints)}). Runs a line (seeds): "
        f"{_some(len(line.seeds) for line in lines)}. Accuracies in percent; in brackets "
        "Wilson's 95 % interval over the n clips; after ± the standard deviation over seeds. |x| is the mean feature norm, "
        "delta the difference of two of them (Eq. 1).",
        *about_streams(lines),
        *about_gains(lines),
        *_about_missing(lines),
        *about_runs(lines, aggregates),
    ]
    return Table.of(_columns(lines), caption, left_out)


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
        "setting": [str(_record(line).setting) for line in lines],
        "tested on": [_domain(line) for line in lines],
        **_configurations(lines),
        "seeds": [Cell(len(line.seeds), "d") for line in lines],
        "n": [Cell(line.top1.n, "d") if line.top1 else "" for line in lines],
    }
    if any(line.chance is not None for line in lines):
        columns["chance"] = [chance_cell(line) for line in lines]
    for metric in dict.fromkeys(metric for line in lines for metric in _measured(line)):
        if not metric.startswith(("recall/", "norm_share/", "answer_share/")):
            columns[_title(metric)] = [
                average_cell(line.average(metric), _form(metric), _mark(line, metric)) for line in lines
            ]
        columns |= _beside(metric, lines)
    return columns


def _mark(line: Aggregate, metric: str) -> str:
    """The mark of a metric's cell: of a dead stream that of the number which says so."""
    kind, _, modality = metric.partition("/")
    if metric == "top1":
        return fused_mark(line)
    if kind == "mean_norm":
        return DEAD if (modality, SHORT) in line.dead else ""
    return (
        DEAD if kind == "top1" and any((modality, why) in line.dead for why in (NOT_ABOVE_CHANCE, ONE_ANSWER)) else ""
    )


def _configurations(lines: Sequence[Aggregate]) -> dict[str, list[str | Cell]]:
    """A column that tells lines of one method in one setting apart, where there are such."""
    named = [(line.group.method, str(_record(line).setting)) for line in lines]
    if len({(*name, line.group) for name, line in zip(named, lines, strict=True)}) == len(set(named)):
        return {}
    words = describe_differences([_record(line).run for line in lines])
    return {"config": [f"{said} {line.group.digits}".strip() for said, line in zip(words, lines, strict=True)]}


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


def _measured(line: Aggregate) -> Mapping[str, tuple[float, int]]:
    return _record(line).measured[_domain(line)]


def _some(numbers: Iterable[int]) -> str:
    """All the different numbers, in order."""
    return ", ".join(map(str, sorted(set(numbers))))


TableFormat = Literal["text", "markdown", "csv", "latex"]


def render_table(table: Table, form: TableFormat) -> str:
    """The table in a form, with its caption (CSV has none)."""
    return {"text": _text, "markdown": _markdown, "csv": _csv, "latex": _latex}[form](table)


def _text(table: Table) -> str:
    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for title in table.header:
        grid.add_column(Text(one_line(title)))
    for row in table.rows:
        grid.add_row(*(Text(one_line(str(cell))) for cell in row))
    file = io.StringIO()
    console = Console(file=file, width=_width(table))
    console.print(grid)
    console.print(Text(printable(table.caption)), width=100)
    return file.getvalue()


def _width(table: Table) -> int:
    """Room for every cell on one line: a terminal scrolls or wraps, a pipe keeps all."""
    columns = zip(table.header, *([one_line(str(cell)) for cell in row] for row in table.rows), strict=True)
    return max(100, sum(max(map(cell_len, column)) + 3 for column in columns))


def _markdown(table: Table) -> str:
    line = lambda cells: "| " + " | ".join(cells) + " |"  # noqa: E731
    rows = [[str(cell) if isinstance(cell, Cell) else _escape_markdown(cell) for cell in row] for row in table.rows]
    lines = [line(map(_escape_markdown, table.header)), line(["---"] * len(table.header)), *map(line, rows)]
    return "\n".join(lines) + f"\n\n{_escape_markdown(table.caption)}\n"


def _escape_markdown(text: str) -> str:
    r"""The text without effect on a document; an underscore between letters and a sign between spaces have none."""
    return _MARKDOWN.sub(r"\\\g<0>", one_line(text))


_MARKDOWN = re.compile(r"[\\`*\[\]<>|~$]|&(?=[#\w]+;)|(?<!\w)_|_(?!\w)|^\s*[#+-]")


def _csv(table: Table) -> str:
    columns = columns_of(table)
    return csv_of(columns, zip(*columns.values(), strict=True))


def columns_of(table: Table) -> dict[str, list[object]]:
    """A column a number: each mean, then where there are some its deviation over seeds, the ends of its interval, and marks."""
    columns: dict[str, list[object]] = {}
    for k, title in enumerate(table.header):
        columns |= _spread_out(title, [row[k] for row in table.rows])
    return columns


def _spread_out(title: str, cells: Sequence[str | Cell]) -> dict[str, list[object]]:
    """The columns of a table's column, by their names."""
    of = [cell if isinstance(cell, Cell) else None for cell in cells]
    found: dict[str, list[object]] = {title: [cell.mean if isinstance(cell, Cell) else cell or None for cell in cells]}
    if any(cell is not None and (cell.deviation is not None or cell.interval is not None) for cell in of):
        found[f"{title} sd"] = [cell and cell.deviation for cell in of]
        found[f"{title} low"] = [cell.interval[0] if cell and cell.interval else None for cell in of]
        found[f"{title} high"] = [cell.interval[1] if cell and cell.interval else None for cell in of]
    if any(cell is not None and cell.mark for cell in of):
        found[f"{title} mark"] = [cell and cell.mark for cell in of]
    return found


def _latex(table: Table) -> str:
    line = lambda cells: " & ".join(map(_escape, cells)) + r" \\"  # noqa: E731
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_escape(table.caption)}}}",
            rf"\begin{{tabular}}{{{'l' * len(table.header)}}}",
            r"\hline",
            line(table.header),
            r"\hline",
            *map(line, table.rows),
            r"\hline",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


_LATEX = {character: f"\\{character}" for character in "&%_#${}"} | {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "±": r"$\pm$",
    "|": r"$|$",
    "<": r"$<$",
    ">": r"$>$",
    "†": r"$\dagger$",
    "‡": r"$\ddagger$",
    "§": r"\S{}",
    "¶": r"\P{}",
}


def _escape(text: str | Cell) -> str:
    escaped = "".join(_LATEX.get(character, character) for character in one_line(str(text)))
    return (
        f"{{}}{escaped}" if escaped.startswith(("[", "*")) else escaped
    )  # after the end of a line, a part of that end
