"""One table as text for the terminal, Markdown, CSV or LaTeX."""

import csv
import io
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from egonorm.aggregate.cells import Cell, Table

Format = Literal["text", "markdown", "csv", "latex"]


def render_table(table: Table, form: Format) -> str:
    """The table in a form, with its caption (CSV has none)."""
    return {"text": _text, "markdown": _markdown, "csv": _csv, "latex": _latex}[form](table)


def _text(table: Table) -> str:
    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in table.header:
        grid.add_column(Text(title))
    for row in table.rows:
        grid.add_row(*(Text(str(cell)) for cell in row))
    file = io.StringIO()
    console = Console(file=file, width=_width(table))
    console.print(grid)
    console.print(Text(table.caption), width=100)
    return file.getvalue()


def _width(table: Table) -> int:
    """Room for every cell on one line: a terminal scrolls or wraps, a pipe keeps all."""
    columns = zip(table.header, *([*map(str, row)] for row in table.rows), strict=True)
    return max(100, sum(max(map(len, column)) + 3 for column in columns))


def _markdown(table: Table) -> str:
    line = lambda cells: "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"  # noqa: E731
    rows = [line(table.header), line(["---"] * len(table.header)), *map(line, table.rows)]
    return "\n".join(rows) + f"\n\n{table.caption}\n"


def _csv(table: Table) -> str:
    """A column a number: each mean, then where there are some its deviation over seeds and the ends of its interval."""
    file = io.StringIO()
    names = [_spread_out(title, [row[k] for row in table.rows]) for k, title in enumerate(table.header)]
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([name for several in names for name in several])
    for row in table.rows:
        writer.writerow([x for cell, several in zip(row, names, strict=True) for x in _numbers(cell, len(several))])
    return file.getvalue()


def _spread_out(title: str, cells: list[str | Cell]) -> list[str]:
    parts = [title]
    if any(isinstance(cell, Cell) and (cell.deviation is not None or cell.interval is not None) for cell in cells):
        parts += [f"{title} {part}" for part in ("sd", "low", "high")]
    return parts


def _numbers(cell: str | Cell, number: int) -> list[object]:
    values = [cell.mean, cell.deviation, *(cell.interval or ())] if isinstance(cell, Cell) else [cell]
    return (values + [None] * 3)[:number]


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


_LATEX = {
    "&": r"\&",
    "%": r"\%",
    "_": r"\_",
    "#": r"\#",
    "$": r"\$",
    "±": r"$\pm$",
    "|": r"$|$",
    "<": r"$<$",
    ">": r"$>$",
    "†": r"$\dagger$",
    "‡": r"$\ddagger$",
    "{": r"\{",
    "}": r"\}",
}


def _escape(text: str | Cell) -> str:
    return "".join(_LATEX.get(character, character) for character in str(text))
