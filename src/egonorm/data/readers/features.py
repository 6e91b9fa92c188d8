"""Features that were computed before: the one of a medium's stored windows that starts nearest to the asked one."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor

from egonorm.core import DataError
from egonorm.data.manifest import Clip
from egonorm.data.windows import Window


@dataclass(frozen=True)
class MappedFeatures:
    """The tensor `features` of a safetensors file, mapped into memory by each process that looks at it, not copied."""

    path: Path

    @cached_property
    def tensor(self) -> Float[Tensor, "clip window feature"]:
        """All of it; the disk is read where a feature is looked at."""
        with safe_open(self.path, "pt") as file:
            return file.get_tensor("features")

    def __getstate__(self) -> dict[str, Path]:
        return {"path": self.path}


@dataclass(frozen=True)
class Moments:
    """The stored windows of one medium: where each starts, in order, and which row it is of all clips' windows."""

    starts: tuple[float, ...]
    rows: tuple[int, ...]
    stop: float
    """Where the last of the medium's clips stops, in seconds."""

    def nearest(self, start: float) -> int:
        """The row of the window that starts nearest to `start`, the earlier of two."""
        after = bisect_left(self.starts, start)
        if after == len(self.starts) or (after and start - self.starts[after - 1] <= self.starts[after] - start):
            after -= 1
        return self.rows[after]


@dataclass(frozen=True)
class FeatureReader:
    """One modality's features, clip by clip and window by window."""

    LOOKED_AT: ClassVar[tuple[str, str]] = ("every number", "every number")
    EXAMINED_HERE: ClassVar[bool] = True

    features: Tensor | MappedFeatures
    """Numbers by `clip window feature`."""
    moments: Mapping[str, Moments]
    """By medium."""

    def __call__(self, media: str, windows: Sequence[Window]) -> Float[Tensor, "window feature"]:
        """The features of the stored windows that start nearest to the asked ones.

        Raises:
            DataError: for a medium of which nothing is stored.
        """
        return self.of_many([(media, windows)])

    def of_many(self, asked: Sequence[tuple[str, Sequence[Window]]]) -> Float[Tensor, "window feature"]:
        """The same of several media, one after the other."""
        rows = []
        for media, windows in asked:
            nearest = self._of(media).nearest
            rows += [nearest(window.start) for window in windows]
        return self._rows(rows)

    def examine(self, media: str, thorough: bool = False) -> float:
        """When the last clip of `media` stops; all of its features are looked at.

        Raises:
            DataError: when nothing is stored of it, or numbers that are not finite.
        """
        found = self._of(media)
        if not torch.isfinite(self._rows(found.rows)).all():
            raise DataError(
                f"The features of {media} are not all finite.",
                got="NaN or infinity",
                expected="finite numbers",
                remedy="Compute them again.",
            )
        return found.stop

    def _rows(self, numbers: Sequence[int]) -> Float[Tensor, "window feature"]:
        """Some rows; those that follow each other are not copied."""
        first, after = numbers[0], numbers[0] + len(numbers)
        in_a_row = len(numbers) == 1 or list(numbers) == list(range(first, after))
        return self._windows[first:after] if in_a_row else self._windows.index_select(0, torch.tensor(numbers))

    @cached_property
    def _windows(self) -> Float[Tensor, "window feature"]:
        """All windows of all clips."""
        return (self.features if isinstance(self.features, Tensor) else self.features.tensor).flatten(0, 1)

    def __getstate__(self) -> dict[str, object]:
        return {"features": self.features, "moments": self.moments}

    def _of(self, media: str) -> Moments:
        if media not in self.moments:
            raise DataError(
                f"There are no features of {media}.",
                got="an unknown medium",
                expected=f"one of the {len(self.moments)} whose features were computed",
                remedy="Compute its features too, or remove its clips.",
            )
        return self.moments[media]


def window_middles(clips: Sequence[Clip], starts: Iterable[Sequence[float]]) -> dict[str, Moments]:
    """The stored windows of every medium, from the starts of each clip's; of windows that start together the first counts."""
    windows: dict[str, dict[float, int]] = {}
    stops: dict[str, float] = {}
    for number, (clip, several) in enumerate(zip(clips, starts, strict=True)):
        stops[clip.media] = max(clip.stop, stops.get(clip.media, 0.0))
        found = windows.setdefault(clip.media, {})
        for window, start in enumerate(several):
            found.setdefault(start, number * len(several) + window)
    moments = {}
    for media, found in windows.items():
        begins, rows = zip(*sorted(found.items()), strict=True)
        moments[media] = Moments(begins, rows, stops[media])
    return moments
