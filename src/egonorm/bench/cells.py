"""What a table is made of: words, and numbers with what says how sure they are."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """A number with what says how sure it is: its spread over seeds, and its interval."""

    mean: float
    form: str
    """How it is written, as Python's format writes it."""
    spread: float | None = None
    interval: tuple[float, float] | None = None
    ends: str = ".0f"
    """How the ends of the interval are written."""
    mark: str = ""
    """A sign behind it that the caption explains."""

    def __str__(self) -> str:
        spread = "" if self.spread is None else f" ± {self.spread:.1f}"
        interval = "" if self.interval is None else f" [{', '.join(format(end, self.ends) for end in self.interval)}]"
        return f"{self.mean:{self.form}}{spread}{interval}{self.mark and f' {self.mark}'}"


@dataclass(frozen=True)
class Table:
    """Words and numbers under a header, and a caption that says how the numbers came about."""

    header: tuple[str, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    caption: str

    @classmethod
    def of(cls, columns: dict[str, list[str | Cell]], caption: str) -> "Table":
        """The table of these columns, each under its title."""
        return cls(tuple(columns), tuple(zip(*columns.values(), strict=True)), caption)
