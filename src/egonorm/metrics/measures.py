"""What one judgement measures: how often the right class comes first, how unequal feature norms are, and how unevenly spread."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def top1(scores: np.ndarray, labels: np.ndarray) -> float:
    """The share of clips whose highest score is their label's, in percent. Shapes: `clip label` and `clip`."""
    return 100.0 * float((scores.argmax(axis=1) == labels).mean())


def recall(scores: np.ndarray, labels: np.ndarray) -> dict[int, tuple[float, int]]:
    """For each label that has clips: the share of them whose highest score is it, in percent, and how many they are."""
    hits = scores.argmax(axis=1) == labels
    of = {int(label): hits[labels == label] for label in np.unique(labels)}
    return {label: (100.0 * float(some.mean()), len(some)) for label, some in of.items()}


def mean_class_accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    """The mean of the classes' recalls, in percent, over the classes that have clips."""
    return float(np.mean([percent for percent, _ in recall(scores, labels).values()]))


def answer_share(scores: np.ndarray) -> float:
    """The share of clips that get the answer which comes most often, in percent. Shape: `clip label`."""
    return 100.0 * float(np.bincount(scores.argmax(axis=1)).max()) / len(scores)


def mean_norm_difference(mean_norms: Mapping[str, float]) -> dict[str, float]:
    """The paper's delta (arXiv 2106.01689, Eq. 1): mean norm of one modality minus that of the next, for each pair.

    The keys are `first-second`, in the mapping's order; for RGB and audio the paper's `E[h(X_v)] - E[h(X_a)]`.
    """
    return {f"{a}-{b}": mean_norms[a] - mean_norms[b] for a, b in combinations(mean_norms, 2)}


def top_share(features: Float[Tensor, "clip feature"], share: float = 300 / 1024) -> Float[Tensor, " clip"]:
    """The L2 norm of each feature's largest numbers over that of all of them, from 0 to 1 (arXiv 2106.01689, Fig. 7b).

    The paper takes the 300 largest of 1024 and says no more; here "largest" is by magnitude, and `share` keeps that proportion at
    any size. A feature of zeros has all its length in any of its numbers.
    """
    x = features.to(torch.promote_types(features.dtype, torch.float32)).abs()
    largest = x.topk(max(1, round(share * x.shape[1])), dim=1).values
    of_all = torch.linalg.vector_norm(x, dim=1)
    return torch.where(of_all > 0, torch.linalg.vector_norm(largest, dim=1) / of_all, torch.ones_like(of_all))
