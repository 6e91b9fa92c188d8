"""Floor 1: measurements of scores and features, and how sure one can be of them."""

from egonorm.metrics.accuracy import mean_class_accuracy, recall, top1
from egonorm.metrics.norms import mean_norm_difference, top_share
from egonorm.metrics.statistics import PairedTest, accuracy_interval, holm, mean_accuracy_interval, paired_test
from egonorm.metrics.streams import DeadStream, answer_share, chance, dead_streams, describe_dead

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
