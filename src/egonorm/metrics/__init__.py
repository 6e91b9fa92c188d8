"""Floor 1: measurements of scores and features."""

from egonorm.metrics.accuracy import mean_class_accuracy, top1
from egonorm.metrics.norms import mean_norm_difference
from egonorm.metrics.statistics import accuracy_interval

__all__ = ["accuracy_interval", "mean_class_accuracy", "mean_norm_difference", "top1"]
