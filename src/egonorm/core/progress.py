"""Progress: one line a task, and one for a whole sweep."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from egonorm.core.text import one_line


@contextmanager
def bar(title: str, shown: bool = True) -> Iterator[Callable[[int, int], None]]:
    """A bar that is told `(done, total)`; it goes to standard error, so that tables can be piped."""
    if not shown:
        yield lambda done, total: None
        return
    columns = (
        TextColumn("{task.description:<34}", markup=False),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(one_line(title), total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


SECONDS = 15.0
"""From one line to the next where the output is no terminal."""


@contextmanager
def tally() -> Iterator[Callable[..., None]]:
    """A line about a sweep that is told its counts: rewritten on a terminal, else written anew now and then."""
    console, began, said = Console(stderr=True), time.monotonic(), -SECONDS

    def tell(total: int, skipped: int, done: int, running: int, failed: int) -> None:
        nonlocal said
        now = time.monotonic() - began
        ended = done + failed
        left = _clock(now / ended * (total - skipped - ended)) if ended else "?"
        line = (
            f"{skipped + done} of {total} done, {running} running, {failed} failed, {_clock(now)} passed, {left} left"
        )
        if console.is_terminal:
            sys.stderr.write(f"\r\x1b[K{line}")
        elif now - said >= SECONDS or not running:
            said = now
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    yield tell
    if console.is_terminal:
        sys.stderr.write("\n")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
