"""Floor 1: measurements of scores and features, and how sure one can be of them."""

from egonorm.metrics.measures import answer_share, mean_class_accuracy, mean_norm_difference, recall, top1, top_share
from egonorm.metrics.statistics import (
    DeadStream,
    PairedTest,
    accuracy_interval,
    chance,
    dead_streams,
    describe_dead,
    holm,
    mean_accuracy_interval,
    paired_test,
)

__all__ = [
    "DeadStream",
    "PairedTest",
    "accuracy_interval",
    "answer_share",
    "chance",
    "dead_streams",
    "describe_dead",
    "holm",
    "mean_accuracy_interval",
    "mean_class_accuracy",
    "mean_norm_difference",
    "paired_test",
    "recall",
    "top1",
    "top_share",
]
