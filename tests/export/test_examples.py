"""Which clips are looked at follows from scores by rules: the largest changes, the surest mistakes, uids among equals."""

import numpy as np
import pytest

from egonorm.core import RunError
from egonorm.export.examples import Change, Mistake, largest_changes, most_confidently_wrong
from egonorm.runs.predictions import Predicted

CLASSES = ("cut", "mix", "pour")


def predicted(scores, labels, uids=None) -> Predicted:
    """What a run says; `scores` are fused."""
    scores = np.array(scores, dtype=np.float32)
    uids = [f"c{k}" for k in range(len(scores))] if uids is None else uids
    norms = {"a": np.ones(len(scores), np.float32)}
    return Predicted(np.array(uids), np.array(labels), CLASSES, {"fused": scores, "a": 1 - scores}, {}, norms)


def test_the_true_classs_score_decides_what_changed_most():
    labels = [0, 1, 2, 0, 1]
    before = predicted([[0.5, 0.5, 0], [0.2, 0.5, 0.3], [0, 0, 1], [0.25, 0.5, 0.25], [0, 1, 0]], labels)
    after = predicted([[0.75, 0, 0.25], [0.2, 0.25, 0.55], [0, 0.5, 0.5], [0.75, 0.25, 0], [0, 1, 0]], labels)
    rose, fell = largest_changes(before, after, 2)
    assert rose == (Change("c3", 0, 0.25, 0.75), Change("c0", 0, 0.5, 0.75)) and rose[0].gain == 0.5
    assert fell == (Change("c2", 2, 1.0, 0.5), Change("c1", 1, 0.5, 0.25)) and fell[1].gain == -0.25
    assert largest_changes(before, after, 9) == (rose, fell), "what did not change is in neither list"
    assert largest_changes(before, after, 1) == (rose[:1], fell[:1])
    assert largest_changes(before, before, 3) == ((), ())


def test_among_equals_the_uid_decides():
    uids = ["d", "b", "a", "c"]
    before, after = (predicted([row] * 4, [0] * 4, uids) for row in ([0.5, 0.5, 0], [0.75, 0.25, 0]))
    assert [change.uid for change in largest_changes(before, after, 3)[0]] == ["a", "b", "c"]
    assert [change.uid for change in largest_changes(after, before, 2)[1]] == ["a", "b"]
    assert [mistake.uid for mistake in most_confidently_wrong(predicted([[0.5, 0.5, 0]] * 4, [2] * 4, uids), 2)] == [
        "a",
        "b",
    ]


def test_clips_of_both_runs_alone_count_whatever_their_order():
    before = predicted([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [0, 1, 2], ["x", "y", "z"])
    after = predicted([[0.5, 0, 0.5], [0, 0, 1], [1, 0, 0]], [2, 0, 1], ["z", "w", "y"])
    rose, fell = largest_changes(before, after, 5)
    assert rose == () and fell == (Change("y", 1, 1.0, 0.0), Change("z", 2, 1.0, 0.5))


def test_other_labels_for_the_same_clips_are_refused():
    before, after = predicted([[1, 0, 0]], [0]), predicted([[1, 0, 0]], [1])
    with pytest.raises(RunError, match="other labels for the same clips"):
        largest_changes(before, after, 1)


def test_the_surest_mistakes_come_first():
    scores = [[0.5, 0.25, 0.25], [0, 1, 0], [0.75, 0, 0.25], [0.1, 0.2, 0.7]]
    found = most_confidently_wrong(predicted(scores, [1, 1, 2, 2]), 5)
    assert found == (Mistake("c2", 2, 0, 0.75), Mistake("c0", 1, 0, 0.5))
    assert most_confidently_wrong(predicted(scores, [1, 1, 2, 2]), 1) == found[:1]
    assert most_confidently_wrong(predicted(scores, [0, 1, 0, 2]), 3) == ()
