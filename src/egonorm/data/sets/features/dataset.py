"""Features that were computed before as a data set: what was stored, and readers of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from egonorm.core import DataError
from egonorm.data.manifest import Manifest
from egonorm.data.readers.features import FeatureReader, MappedFeatures, window_middles
from egonorm.data.transforms import FEATURES, Input, Scaling, as_vector_input
from egonorm.data.windows import Span


@dataclass(frozen=True)
class Stored:
    """The sizes of a store's features and the windows that they were computed of."""

    sizes: dict[str, int]
    """Numbers in a feature of each modality, in the order of the pairs."""
    span: Span
    """The window that a feature shows."""
    num_windows: int
    """Windows of a clip."""
    learnt: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Per modality, the domains whose labels the encoder was trained on."""


@runtime_checkable
class FeatureSource(Protocol):
    """One modality's features on the disk; rows are those of the manifest."""

    @property
    def layout(self) -> str:
        """How they lie there, for people."""
        ...

    def starts(self) -> Float64[Tensor, "clip window"]:
        """When each window starts, in seconds."""
        ...

    def load(self) -> Tensor | MappedFeatures:
        """The features by `clip window feature`, float32."""
        ...


@runtime_checkable
class Digested(Protocol):
    """Features that may have a digest."""

    def verify(self) -> bool:
        """Compare all that is stored with its digest; whether it has one."""
        ...


@dataclass(frozen=True)
class FeatureSet:
    """Features of clips. Every clip is a medium of its own, so that training never meets another clip's window."""

    root: Path
    manifest: Manifest
    stored: Stored
    sources: Mapping[str, FeatureSource]
    """Per modality."""
    notes: tuple[str, ...] = ()

    def reader(self, modality: str, given: Input) -> FeatureReader:
        """The reader of one modality.

        Raises:
            DataError: for another modality, or a stream that does not expect features of this size.
        """
        if modality not in self.sources:
            raise DataError(
                f"{self.root} has no features of {modality!r}.",
                got=modality,
                expected=" or ".join(self.sources),
                remedy="Choose among these with --modalities.",
            )
        size = self.stored.sizes[modality]
        asked = as_vector_input(given, modality).size if given.reads == FEATURES else None
        if asked != size:
            raise DataError(
                f"{self.root} does not hold what the network's stream {modality} is fed.",
                got=f"features of {size} numbers",
                expected=type(given).__name__ if asked is None else f"{asked} numbers",
                remedy="Use the data that the network was trained on, or train one on these features.",
            )
        source = self.sources[modality]
        return FeatureReader(source.load(), window_middles(self.manifest.clips, source.starts().tolist()))

    def scaled(self, clips: Manifest, scaling: Scaling) -> dict[str, "Columns"]:
        """Per modality, what is taken from every column and what it is then multiplied by, as `scaling` says.

        With "columns" each column has mean 0 and the same deviation over all windows of the clips, and the modalities' mean
        norms stay in the proportion that the stored features have, as long as no one is more than `UNLIKE` times another: then
        units decide it, not encoders, and the norms are those of standardised columns. A column that never varies becomes 0.
        With "length" nothing is taken, and one factor is all columns'. Either way the modality with the longest features gets
        the mean norm `LENGTH`.

        Args:
            clips: those that decide, of this set: the sources' training clips.
        """
        rows = torch.tensor(self._rows(clips.clips.uid.tolist()))
        found = {name: _columns(_numbers(source), rows, scaling) for name, source in self.sources.items()}
        norms = {name: one.norm for name, one in found.items() if one.norm > 0}
        if scaling == "columns" and norms and max(norms.values()) > UNLIKE * min(norms.values()):
            norms = {name: one.standardised for name, one in found.items()}
        longest = max(norms.values(), default=0.0)
        return {
            name: one.of_length(LENGTH * norms.get(name, 0.0) / longest if longest else 0.0)
            for name, one in found.items()
        }

    def _rows(self, uids: Iterable[str]) -> list[int]:
        number = {uid: row for row, uid in enumerate(self.manifest.clips.uid.tolist())}
        return [number[uid] for uid in uids]

    def verify(self, thorough: bool) -> tuple[str, ...]:
        """Compare the features with their digests; a remark about those that have none.

        Raises:
            DataError: for features that are not as they were written.
        """
        without = [name for name, x in self.sources.items() if isinstance(x, Digested) and not x.verify()]
        return (f"No digest, so that damage could not be seen: {', '.join(without)}.",) if without else ()

    def layouts(self) -> dict[str, dict[str, int]]:
        """Per modality, how its features lie on the disk, and of how many clips."""
        return {modality: {source.layout: len(self.manifest)} for modality, source in self.sources.items()}


LENGTH = 16.0
"""The mean norm that the modality with the longest features gets, about that of the paper's audio features (15.8)."""
CLIPS_AT_ONCE = 4096
"""Clips whose features are in memory at the same time while all are looked at."""


UNLIKE = 4.0
"""The largest ratio of two modalities' mean norms that is kept.

Encoders' features have mean norms as 16 to 6 (the paper's) or 32 to 15 (published networks')."""


@dataclass(frozen=True)
class Columns:
    """What is taken from the columns of a modality's features, and what they are then multiplied by."""

    mean: Float[Tensor, " column"]
    factor: Float[Tensor, " column"]
    norm: float
    """The mean norm of the stored features."""
    standardised: float
    """The mean norm of what becomes of them."""

    def of_length(self, length: float) -> "Columns":
        """The same with this mean norm of what becomes of them, as a network holds it."""
        share = length / self.standardised if self.standardised else 0.0
        return replace(self, mean=self.mean.float(), factor=(self.factor * share).float(), standardised=length)


def _numbers(source: FeatureSource) -> Float[Tensor, "clip window column"]:
    found = source.load()
    return found if isinstance(found, Tensor) else found.tensor


def _columns(features: Float[Tensor, "clip window column"], rows: Int64[Tensor, " row"], scaling: Scaling) -> Columns:
    """In float64: with "columns" the factors that make each column's deviation 1. Windows that are not finite do not count."""
    windows = lambda: (features[some].flatten(0, 1).double() for some in rows.split(CLIPS_AT_ONCE))  # noqa: E731
    parts = lambda: (x[x.isfinite().all(dim=1)] for x in windows())  # noqa: E731
    counts, lengths = zip(*((len(x), x.norm(dim=1).sum()) for x in parts()), strict=True)
    count, size = max(1, sum(counts)), features.shape[2]
    mean_norm = lambda lengths: float(sum(lengths)) / count  # noqa: E731
    norm = mean_norm(lengths)
    if scaling != "columns":
        return Columns(torch.zeros(size), torch.ones(size, dtype=torch.float64), norm, norm)
    mean = torch.stack([x.sum(dim=0) for x in parts()]).sum(dim=0) / count
    variance = torch.stack([(x - mean).square().sum(dim=0) for x in parts()]).sum(dim=0) / count
    varies = variance > (1e-6 * mean).square()  # beyond what rounding to float32 makes of a constant
    factor = torch.where(varies, variance.clamp(min=1e-300).rsqrt(), 0.0)
    return Columns(mean, factor, norm, mean_norm(((x - mean) * factor).norm(dim=1).sum() for x in parts()))
