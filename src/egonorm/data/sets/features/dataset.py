"""Features that were computed before as a data set: what was stored, and readers of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from jaxtyping import Float64
from torch import Tensor

from egonorm.core import DataError
from egonorm.data.manifest import Manifest
from egonorm.data.readers.features import FeatureReader, MappedFeatures, window_middles
from egonorm.data.transforms import FEATURES, Input, as_vector_input
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
class Verified(Protocol):
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

    def mean_norms(self) -> dict[str, float]:
        """Per modality, how long the training clips' features are on average; those that are not finite do not count."""
        rows = [row for row, clip in enumerate(self.manifest.clips) if clip.split == "train"]
        return {modality: self._mean_norm(modality, rows) for modality in self.sources}

    def _mean_norm(self, modality: str, rows: list[int]) -> float:
        features = self.sources[modality].load()
        lengths = (features if isinstance(features, Tensor) else features.tensor)[rows].norm(dim=2)
        finite = lengths[lengths.isfinite()]
        return float(finite.mean()) if len(finite) else 0.0

    def verify(self, thorough: bool) -> tuple[str, ...]:
        """Compare the features with their digests; a remark about those that have none.

        Raises:
            DataError: for features that are not as they were written.
        """
        without = [name for name, x in self.sources.items() if isinstance(x, Verified) and not x.verify()]
        return (f"No digest, so that damage could not be seen: {', '.join(without)}.",) if without else ()

    def layouts(self) -> dict[str, dict[str, int]]:
        """Per modality, how its features lie on the disk, and of how many clips."""
        return {modality: {source.layout: len(self.manifest)} for modality, source in self.sources.items()}
