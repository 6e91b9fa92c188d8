"""Stored predictions: whole ones that the rows agree with are read, all others are refused in words."""

import json
import shutil

import numpy as np
import pytest
from msgspec.structs import asdict
from msgspec.structs import replace as changed

from egonorm.aggregate.paired import read_hits
from egonorm.core import RunError
from egonorm.runs.config import predictions_of
from egonorm.runs.predictions import read_predicted
from egonorm.runs.results import COMPLETE, FILE, last_mean, read_records, read_rows, write_rows
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


def strip(folder, change=lambda rows: rows):
    """Rows as older runs have them: without number and digest in the last one."""
    rows = [
        changed(row, digest="", n=0 if row.metric == COMPLETE else row.n) for row in change(list(read_rows(folder)))
    ]
    lines = [{name: x for name, x in asdict(row).items() if name != "digest"} for row in rows]
    (folder / FILE).write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_rows_of_older_runs_are_read_where_their_predictions_give_them(folder):
    strip(folder)
    assert read(folder).labels.tolist() == [0, 1, 2]
    for path in (folder / "predictions").iterdir():
        path.unlink()
    assert read(folder) is None


def other(metric, **changes):
    return lambda rows: [changed(row, **changes) if row.metric == metric and row.step == 10 else row for row in rows]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (other("top1", value=33.0), r"000010-D2.npz does not agree with the rows(.|\n)*a top-1 of 33.00 on 3 clips"),
        (other("recall/put", value=0.0), r"does not agree with the rows(.|\n)*recall/put"),
        (other("recall/put", n=2), r"does not agree with the rows(.|\n)*recall/put"),
        (other("mean_norm/rgb", value=3.1), r"does not agree with the rows(.|\n)*mean_norm/rgb"),
        (other("mean_norm/rgb", value=np.nan), r"has diverged(.|\n)*mean_norm/rgb"),
        (
            lambda rows: [row for row in rows if row.step != 10],
            r"is not what was measured(.|\n)*no rows of D2 at step 10(.|\n)*those of 000010-D2.npz",
        ),
        (
            lambda rows: [rows[0], *rows[2:]],
            r"is not what was measured(.|\n)*no mean_class_accuracy of D2 at step 10(.|\n)*the metrics of the other steps",
        ),
        (lambda rows: rows[-1:], r"is not what was measured(.|\n)*no rows of D2 at step 10"),
    ],
)
def test_rows_of_older_runs_that_their_predictions_do_not_give_are_refused(folder, change, told):
    strip(folder, change)
    with pytest.raises(RunError, match=told):
        read(folder)


def test_predictions_of_a_domain_that_was_not_asked_for_need_no_rows(folder):
    strip(folder)
    shutil.copy(predictions_of(folder, 10, "D2"), predictions_of(folder, 10, "D9"))
    assert read(folder) is not None


def test_rows_of_another_run_are_refused(folder, tmp_path):
    other = store(tmp_path, plain_run(seed=1), {"D2": [[1, 1, 0], [1, 0, 0]]}, labels=[0, 1, 2])
    shutil.copy(other / FILE, folder / FILE)
    with pytest.raises(RunError, match=r"is of another run\.\n  got: .*seed 1\n  expected: .*seed 0\n"):
        read(folder)


@pytest.mark.parametrize("has_digest", [True, False])
def test_a_training_that_diverged_is_told_so(folder, has_digest):
    change(folder, **{"norms/rgb": np.full(3, np.inf, np.float32)})
    write_rows(
        folder, [changed(row, value=np.inf) if row.metric == "mean_norm/rgb" else row for row in read_rows(folder)]
    )
    if not has_digest:
        strip(folder)
    with pytest.raises(RunError, match=r"has diverged\.\n  got:      mean_norm/rgb of D2 at step 10 is inf\n"):
        read(folder)


def test_every_number_that_predictions_give_is_compared_where_they_are_read(folder):
    rows = read_rows(folder)
    for metric, told in (("mean_norm/rgb", "mean_norm/rgb 4 on 3"), ("recall/cut", "recall/cut 4 on 1")):
        write_rows(folder, [changed(row, value=4.0) if row.metric == metric else row for row in rows])
        with pytest.raises(RunError, match=rf"000020-D2.npz does not agree with the rows(.|\n)*{told}"):
            read(folder)
    (record,), _ = read_records([folder], last_mean(9))
    with pytest.raises(RunError, match="recall/cut 4 on 1"):
        read_hits(record, "D2")
