"""What is noted of a training step beside its terms: feature norms and accuracy of each domain, and of each of its classes."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from egonorm.core import View
from egonorm.losses import norms

CLASSES_EVERY = 10
"""Steps from one note of the classes to the next; the last step has one too."""


@dataclass(frozen=True)
class StepStats:
    """A number a clip of one view, without gradients."""

    domain: str
    norms: dict[str, Tensor]
    """Per modality, the length of its feature: `clip`."""
    hits: Bool[Tensor, " clip"] | None
    """Whether the fused logits, as they are in training, put the label first; None without labels, as these."""
    labels: Int[Tensor, " clip"] | None


def step_stats(view: View) -> StepStats:
    """What is noted of a view; it stays on the view's device."""
    lengths = {name: norms(x.detach()) for name, x in view.features.items()}
    hits = None if view.labels is None else view.logits.detach().argmax(dim=1) == view.labels
    return StepStats(view.domain, lengths, hits, view.labels)


def to_cpu(glances: Sequence[StepStats]) -> tuple[StepStats, ...]:
    """The same on the CPU; the device is waited for once."""
    columns = [x for seen in glances for x in (*seen.norms.values(), seen.hits, seen.labels) if x is not None]
    numbers = iter(torch.cat(columns).cpu().split([len(x) for x in columns]))
    return tuple(
        StepStats(
            seen.domain,
            {name: next(numbers) for name in seen.norms},
            None if seen.hits is None else next(numbers).bool(),
            None if seen.labels is None else next(numbers).long(),
        )
        for seen in glances
    )


def of_domains(glances: Sequence[StepStats]) -> dict[str, dict[str, float]]:
    """Mean norms as `domain/modality`, and the accuracy of each domain that has labels, in percent."""
    means = {f"{seen.domain}/{name}": float(x.mean()) for seen in glances for name, x in seen.norms.items()}
    hits = {seen.domain: 100 * float(seen.hits.double().mean()) for seen in glances if seen.hits is not None}
    return {"norms": means, "accuracy": hits}


def of_classes(glances: Sequence[StepStats], classes: Sequence[str]) -> dict[str, dict[str, dict]]:
    """Per domain with labels and class with clips: how many, their accuracy in percent, and their mean norms."""
    labelled = [seen for seen in glances if seen.labels is not None]
    return {seen.domain: _by_class(seen, classes) for seen in labelled}


def _by_class(seen: StepStats, classes: Sequence[str]) -> dict[str, dict]:
    present, places, counts = torch.unique(seen.labels, return_inverse=True, return_counts=True)
    of = lambda x: (torch.zeros(len(present)).double().index_add_(0, places, x.double()) / counts).tolist()  # noqa: E731
    lengths, hits = {name: of(x) for name, x in seen.norms.items()}, of(seen.hits)
    return {
        classes[label]: {"n": n, "accuracy": 100 * hits[k], "norms": {name: x[k] for name, x in lengths.items()}}
        for k, (label, n) in enumerate(zip(present.tolist(), counts.tolist(), strict=True))
    }
