"""Accuracies, recalls and the paper's delta."""

import numpy as np

from egonorm.metrics import mean_class_accuracy, mean_norm_difference, recall, top1


def test_accuracies_by_hand():
    scores = np.eye(3)[[0, 0, 1, 2]]
    labels = np.array([0, 0, 1, 1])
    assert top1(scores, labels) == 75.0
    assert mean_class_accuracy(scores, labels) == 75.0
    assert mean_class_accuracy(scores[:3], labels[:3]) == 100.0


def test_recall_of_each_class_that_has_clips_and_of_how_many():
    scores = np.eye(4)[[0, 0, 0, 1, 2, 3]]
    assert recall(scores, np.array([0, 0, 0, 0, 2, 2])) == {0: (75.0, 4), 2: (50.0, 2)}


def test_delta_is_the_first_norm_minus_the_second():
    assert mean_norm_difference({"rgb": 6.0, "audio": 15.5}) == {"rgb-audio": -9.5}
    assert list(mean_norm_difference({"a": 1.0, "b": 2.0, "c": 4.0})) == ["a-b", "a-c", "b-c"]
