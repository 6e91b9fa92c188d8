"""What an accuracy is held against, and which streams are dead, by hand."""

import numpy as np
import pytest

from egonorm.metrics import answer_share, chance, dead_streams, describe_dead
from egonorm.metrics.statistics import ONE_ANSWER

ALIVE = {
    "top1": (60.0, 100),
    "top1/rgb": (50.0, 100),
    "top1/audio": (40.0, 100),
    "answer_share/rgb": (40.0, 100),
    "answer_share/audio": (94.9, 100),
    "mean_norm/rgb": (9.9, 100),
    "mean_norm/audio": (0.1, 100),
    "recall/cut": (1.0, 25),
    "recall/put": (90.0, 75 - 50),
    "recall/take": (9.0, 50 - 25),
    "recall/wash": (9.0, 25),
}


def told(**changes):
    changes = {name.replace("__", "/"): (value, 100) for name, value in changes.items()}
    return describe_dead(dead_streams(ALIVE | changes))


def test_chance_is_the_share_of_the_largest_class():
    assert chance(ALIVE) == 25.0 and chance({"recall/cut": (0.0, 30), "recall/put": (0.0, 10)}) == 75.0
    assert chance({"top1": (60.0, 100)}) is None


def test_the_answer_that_comes_most_often():
    assert answer_share(np.eye(3)[[0, 2, 2, 1]]) == 50.0 and answer_share(np.ones((7, 3))) == 100.0


def test_streams_that_are_heard_are_not_dead():
    assert dead_streams(ALIVE) == ()
    assert told(top1__rgb=34.4) == "", "Wilson's interval of 34.4 of 100 begins at 25.8"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"top1__rgb": 33.0}, "rgb: 33.0 % where chance is 25.0 %"),
        ({"top1__rgb": 0.0}, "rgb: 0.0 % where chance is 25.0 %"),
        ({"answer_share__audio": 95.0}, "audio: 95.0 % of its answers are one class"),
        ({"mean_norm__audio": 0.099}, "audio: its mean norm is 0.099 where rgb's is 9.9"),
        ({"mean_norm__rgb": 0.001}, "rgb: its mean norm is 0.001 where audio's is 0.1"),
        (
            {"mean_norm__audio": 0.0, "mean_norm__rgb": 0.0},
            "rgb: its mean norm is 0; audio: its mean norm is 0 where rgb's is 0",
        ),
        (
            {"top1__rgb": 25.0, "answer_share__rgb": 100.0},
            "rgb: 25.0 % where chance is 25.0 %, 100.0 % of its answers are one class",
        ),
    ],
)
def test_a_dead_stream_is_told_with_its_numbers(changes, words):
    assert told(**changes) == words


def test_where_all_clips_are_of_one_class_one_answer_is_right():
    alike = {"top1/rgb": (100.0, 40), "answer_share/rgb": (100.0, 40), "recall/cut": (100.0, 40)}
    assert dead_streams(alike) == ()


def test_where_nine_in_ten_are_of_one_class_to_answer_it_is_no_sign():
    most = {
        "top1/rgb": (95.0, 1000),
        "answer_share/rgb": (95.0, 1000),
        "recall/put": (5.0, 100),
        "recall/cut": (100.0, 900),
    }
    assert dead_streams(most) == ()
    fewer = most | {"recall/put": (5.0, 101), "recall/cut": (100.0, 899)}
    assert [(one.modality, one.why) for one in dead_streams(fewer)] == [("rgb", ONE_ANSWER)]


def test_without_the_classes_sizes_chance_is_not_known_and_norms_are():
    older = {"top1/rgb": (1.0, 40), "mean_norm/rgb": (0.0, 40)}
    assert describe_dead(dead_streams(older)) == "rgb: its mean norm is 0"
