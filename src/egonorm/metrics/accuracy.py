"""How often the right class comes first."""

import numpy as np


def top1(scores: np.ndarray, labels: np.ndarray) -> float:
    """The share of clips whose highest score is their label's, in percent. Shapes: `clip label` and `clip`."""
    return 100.0 * float((scores.argmax(axis=1) == labels).mean())


def mean_class_accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    """The mean of the classes' recalls, in percent, over the classes that have clips."""
    hits = scores.argmax(axis=1) == labels
    return 100.0 * float(np.mean([hits[labels == label].mean() for label in np.unique(labels)]))
