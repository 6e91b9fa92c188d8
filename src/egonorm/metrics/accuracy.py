"""How often the right class comes first."""

import numpy as np


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
