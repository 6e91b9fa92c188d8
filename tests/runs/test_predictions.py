"""Stored predictions: whole ones that the rows agree with are read, all others are refused in words."""

import numpy as np
import pytest

from egonorm.core import RunError
from egonorm.runs.predictions import predictions_of, read_predicted
from egonorm.runs.results import last_mean, read_records, read_rows, write_rows
from stored_runs import plain_run, store


@pytest.fixture
def folder(tmp_path):
    """A run with two checkpoints that were judged on three clips."""
    return store(tmp_path, plain_run(), {"D2": [[1, 1, 0], [1, 0, 0]]}, labels=[0, 1, 2])


def read(folder, domain="D2"):
    (record,), _ = read_records([folder], last_mean(9))
    return read_predicted(record, domain)


def change(folder, steps=(10, 20), **arrays):
    """Other arrays in the files of the steps; None removes one."""
    for step in steps:
        path = predictions_of(folder, step, "D2")
        with np.load(path) as stored:
            changed = {name: stored[name] for name in stored.files} | arrays
        np.savez(path, **{name: x for name, x in changed.items() if x is not None})


def test_means_over_the_checkpoints(folder):
    found = read(folder)
    assert found.labels.tolist() == [0, 1, 2] and found.classes == ("cut", "put", "take")
    assert found.votes["fused"][np.arange(3), found.labels].tolist() == [1.0, 0.5, 0.0]
    assert found.norms["rgb"].tolist() == [3.0] * 3


def test_other_predictions_than_the_rows_speak_of_are_refused(folder):
    first, second = (predictions_of(folder, step, "D2") for step in (10, 20))
    second.write_bytes(first.read_bytes())
    with pytest.raises(
        RunError, match=r"000020-D2.npz does not agree with the rows(.|\n)*33\.33 on 3 clips(.|\n)*egonorm test"
    ):
        read(folder)


def test_without_a_stated_accuracy_there_is_nothing_to_compare(folder):
    assert read(folder, "D3") is None
    write_rows(folder, [row for row in read_rows(folder) if row.metric != "top1"])
    assert read(folder) is None


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"classes": None}, "no classes"),
        ({"scores/fused": None, "uids": None}, "no uids, scores/fused"),
        ({"scores/fused": np.zeros((2, 3), np.float32)}, r"scores/fused of float32 and shape \(2, 3\)"),
        ({"scores/rgb": np.zeros((3, 4), np.float32)}, r"scores/rgb of float32 and shape \(3, 4\)"),
        ({"norms/rgb": np.zeros(2)}, "norms/rgb of float64"),
        ({"labels": np.array([0.0, 1.0, 2.0])}, "labels of float64"),
        ({"labels": np.array([0, 1, 3])}, "labels that are not among 3 classes"),
        ({"labels": np.array([0, -1, 2])}, "labels that are not among 3 classes"),
        ({"uids": np.array(["b", "a", "c"])}, "uids out of order"),
        ({"uids": np.array(7)}, r"uids of int64 and shape \(\)"),
        (
            {
                "uids": np.array([], str),
                "labels": np.array([], int),
                "scores/fused": np.zeros((0, 3)),
                "norms/rgb": np.zeros(0),
                "norms/audio": np.zeros(0),
            },
            "no clips",
        ),
    ],
)
def test_what_is_missing_or_does_not_fit_is_named(folder, arrays, told):
    change(folder, **arrays)
    with pytest.raises(RunError, match=rf"000010-D2.npz cannot be read(.|\n)*{told}(.|\n)*egonorm test"):
        read(folder)


@pytest.mark.parametrize(
    "arrays", [{"norms/rgb": None}, {"classes": np.array(["cut", "put", "wash"])}, {"uids": np.array(["a", "b", "c"])}]
)
def test_checkpoints_of_different_clips_are_refused(folder, arrays):
    change(folder, (20,), **arrays)
    with pytest.raises(RunError, match=r"different clips(.|\n)*other clips or streams in each checkpoint"):
        read(folder)


def test_a_file_of_one_array_is_refused(folder):
    with predictions_of(folder, 20, "D2").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(RunError, match=r"000020-D2.npz cannot be read"):
        read(folder)
