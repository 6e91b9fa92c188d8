"""Timing by alternation: A B A B, so that whatever else the machine does falls on both alike."""

import gc
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch

from benchmarks.record import Spread

Times = dict[str, list[float]]
"""Per name, the seconds of each repetition."""


def seconds(action: Callable[[], object]) -> float:
    """How long one call takes."""
    gc.collect()
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def alternate(actions: Mapping[str, Callable[[], object]], repeats: int) -> Times:
    """Call all once to warm up, then all in turn, `repeats` times; per name the seconds of each call."""
    for action in actions.values():
        action()
    times: Times = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            times[name].append(seconds(action))
    return times


def alternate_commands(commands: Mapping[str, Sequence[str]], repeats: int) -> Times:
    """The same with whole processes, from start to end."""
    return alternate({name: _command(words) for name, words in commands.items()}, repeats)


def _command(words: Sequence[str]) -> Callable[[], object]:
    return lambda: subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def ratio(times: Times, over: str, under: str, factor: float = 1.0) -> Spread:
    """The ratio of two names' seconds, repetition by repetition."""
    return Spread.of([factor * a / b for a, b in zip(times[over], times[under], strict=True)])


def told(times: Times, parts: float = 1, unit: str = "s") -> str:
    """The medians in words; `parts` is what each call is divided by, a number of clips say."""
    scale = {"s": 1.0, "ms": 1e3}[unit]
    return ", ".join(f"{name} {scale * Spread.of(t).middle / parts:.3g} {unit}" for name, t in times.items())


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Compute with so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
