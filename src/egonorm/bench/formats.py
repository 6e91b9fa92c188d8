"""One table as text for the terminal, Markdown, CSV or LaTeX."""

import csv
import io
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from egonorm.bench.summary import Table

Format = Literal["text", "markdown", "csv", "latex"]


def render(table: Table, form: Format) -> str:
    """The table in a form, with its caption (CSV has none)."""
    return {"text": _text, "markdown": _markdown, "csv": _csv, "latex": _latex}[form](table)


def _text(table: Table) -> str:
    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in table.header:
        grid.add_column(Text(title))
    for row in table.rows:
        grid.add_row(*(Text(str(cell)) for cell in row))
    console = Console(file=io.StringIO(), width=_width(table))
    console.print(grid)
    console.print(Text(table.caption), width=100)
    return console.file.getvalue()


def _width(table: Table) -> int:
    """Room for every cell on one line: a terminal scrolls or wraps, a pipe keeps all."""
    columns = zip(table.header, *table.rows, strict=True)
    return max(100, sum(max(map(len, column)) + 3 for column in columns))


def _markdown(table: Table) -> str:
    line = lambda cells: "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"  # noqa: E731
    rows = [line(table.header), line(["---"] * len(table.header)), *map(line, table.rows)]
    return "\n".join(rows) + f"\n\n{table.caption}\n"


def _csv(table: Table) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([table.header, *table.rows])
    return file.getvalue()


def _latex(table: Table) -> str:
    line = lambda cells: " & ".join(map(_escape, cells)) + r" \\"  # noqa: E731
    return "\n".join([
        r"\begin{table}", r"\centering", rf"\caption{{{_escape(table.caption)}}}",
        rf"\begin{{tabular}}{{{'l' * len(table.header)}}}", r"\hline", line(table.header), r"\hline",
        *map(line, table.rows), r"\hline", r"\end{tabular}", r"\end{table}", "",
    ])  # fmt: skip


_LATEX = {
    "&": r"\&",
    "%": r"\%",
    "_": r"\_",
    "#": r"\#",
    "$": r"\$",
    "±": r"$\pm$",
    "|": r"$|$",
    "{": r"\{",
    "}": r"\}",
}


def _escape(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
