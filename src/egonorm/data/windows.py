"""When to look, in seconds. Pure: no files, no tensors, no global randomness."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np


@dataclass(frozen=True)
class Span:
    """How a window is spread over time: `num_frames` looks, every `stride`-th tick of a clock of `fps` ticks a second."""

    num_frames: int = 16
    stride: int = 2
    fps: float = 60.0

    def __post_init__(self):
        if self.num_frames < 1 or self.stride < 1 or self.fps <= 0:
            raise ValueError(f"A span needs positive numbers; got {self}.")

    @property
    def ticks(self) -> int:
        """The length of a window in ticks."""
        return self.num_frames * self.stride

    @property
    def seconds(self) -> float:
        """The length of a window in seconds."""
        return self.ticks / self.fps

    def times(self, start: float) -> tuple[float, ...]:
        """When to look, for a window that starts at `start`: the middle of every `stride`-th tick."""
        return tuple(start + (k * self.stride + 0.5) / self.fps for k in range(self.num_frames))


@dataclass(frozen=True)
class Window:
    """A stretch of time in a medium, in seconds, half-open."""

    start: float
    stop: float


def random_window(start: float, stop: float, span: Span, random: Random) -> Window:
    """One window inside the action, its centre drawn uniformly from the ticks (MM-SADA `batch_generator.py`)."""
    low, high = _centres(start, stop, span)
    return _around(random.randint(low, high), span)


def even_windows(start: float, stop: float, span: Span, num_windows: int) -> tuple[Window, ...]:
    """Windows whose centres divide the action evenly, ends excluded (MM-SADA `batch_generator.py`: five at test)."""
    low, high = _centres(start, stop, span)
    centres = np.linspace(low, high, num_windows + 2)[1:-1].astype(int)
    return tuple(_around(int(centre), span) for centre in centres)


def shown_between(start: float, stop: float, span: Span) -> tuple[float, float]:
    """From when to when any window of an action may show something."""
    low, high = _centres(start, stop, span)
    return _around(low, span).start, _around(high, span).stop


def neighbours(windows: Sequence[Window], pause: float) -> Iterator[Sequence[Window]]:
    """The windows in their order, those together that follow each other by at most `pause` seconds, or overlap."""
    first = 0
    for k in range(1, len(windows)):
        if not windows[k - 1].start <= windows[k].start <= windows[k - 1].stop + pause:
            yield windows[first:k]
            first = k
    yield windows[first:]


def _centres(start: float, stop: float, span: Span) -> tuple[int, int]:
    """The first and the last tick that may be a centre.

    The window lies inside an action that is longer than it; any tick of one that is not may be the centre. No window
    begins before the second tick of the medium (a quirk of MM-SADA that two of EPIC's clips meet).
    """
    first, last = round(start * span.fps), round(stop * span.fps)
    half = span.ticks // 2
    low, high = first + half, last - half
    if high <= low:
        low, high = first, max(first, last - 1)
    low = max(low, half + 1)
    return low, max(low, high)


def _around(centre: int, span: Span) -> Window:
    first = centre - span.ticks // 2
    return Window(first / span.fps, (first + span.ticks) / span.fps)
