"""The nouns that travel from data to loss: Batch, View, Seen and Terms. Frozen, and checked once, when they are made."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from jaxtyping import Float, Int
from torch import Tensor

Terms = dict[str, Float[Tensor, ""]]
"""Named, weighted scalars; their sum is what training descends."""


def _check_lengths(noun: str, lengths: Mapping[str, int]) -> None:
    if len(set(lengths.values())) != 1:
        raise ValueError(f"A {noun} needs one length for all its parts; got {dict(lengths)}.")


@dataclass(frozen=True)
class Batch:
    """Clips of one domain. `labels is None` means that this setting does not let you see them."""

    domain: str
    uids: tuple[str, ...]
    inputs: Mapping[str, Tensor]
    """Per modality, one row a clip: `clip ...`."""
    labels: Int[Tensor, " clip"] | None

    def __post_init__(self):
        lengths = {"uids": len(self.uids)} | {name: len(x) for name, x in self.inputs.items()}
        if self.labels is not None:
            lengths["labels"] = len(self.labels)
        _check_lengths("Batch", lengths)

    def __len__(self) -> int:
        return len(self.uids)

    def to(self, device) -> "Batch":
        """The same clips on another device."""
        move = lambda x: x.to(device, non_blocking=True)  # noqa: E731
        labels = None if self.labels is None else move(self.labels)
        return Batch(self.domain, self.uids, {name: move(x) for name, x in self.inputs.items()}, labels)

    def pin_memory(self) -> "Batch":
        """The same clips in memory that a GPU reads by itself."""
        labels = None if self.labels is None else self.labels.pin_memory()
        return Batch(self.domain, self.uids, {name: x.pin_memory() for name, x in self.inputs.items()}, labels)

    def unlabelled(self) -> "Batch":
        """The same clips without their labels."""
        return replace(self, labels=None)

    def rows(self, start: int, stop: int) -> "Batch":
        """The clips from `start` up to `stop`."""
        labels = None if self.labels is None else self.labels[start:stop]
        return Batch(self.domain, self.uids[start:stop], {m: x[start:stop] for m, x in self.inputs.items()}, labels)


@dataclass(frozen=True)
class View:
    """What the network makes of one domain's clips: the global batch, gathered from every process."""

    domain: str
    features: Mapping[str, Float[Tensor, "clip feature"]]
    """Per modality, before dropout: what the norms are measured on."""
    logits: Float[Tensor, "clip label"]
    """Fused over the modalities."""
    labels: Int[Tensor, " clip"] | None

    def __post_init__(self):
        lengths = {"logits": len(self.logits)} | {name: len(x) for name, x in self.features.items()}
        if self.labels is not None:
            lengths["labels"] = len(self.labels)
        _check_lengths("View", lengths)


@dataclass(frozen=True)
class Seen:
    """All that one training step may look at: one view per domain, and how far the training has come (0 to 1)."""

    views: tuple[View, ...]
    progress: float
