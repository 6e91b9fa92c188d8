"""From folders to aggregates: what is left out and told, in which order runs stand, and what compares them."""

import pytest

import egonorm
from egonorm.aggregate.aggregate import Aggregates, read_aggregates
from egonorm.aggregate.table import summarise
from egonorm.core import RunError
from egonorm.methods import Rna
from egonorm.runs.results import last_mean, read_records
from stored_runs import plain_run, store

HITS = {"D2": [[1, 0, 1, 1, 0]]}


def spoiled(folder):
    """A run's folder, whose predictions are none any more."""
    for path in (folder / "predictions").iterdir():
        path.write_bytes(b"spoiled")
    return folder


def test_runs_with_damaged_predictions_are_left_out_by_name_beside_unfinished_ones(tmp_path):
    good = [store(tmp_path, plain_run(method=method), HITS) for method in (None, Rna())]
    broken = spoiled(store(tmp_path, plain_run(method=Rna(), seed=1), HITS))
    reference = store(tmp_path, plain_run(seed=1), HITS)
    unfinished = store(tmp_path, plain_run(seed=2), HITS, complete=False)
    folders = [*good, broken, reference, unfinished]
    aggregates, left_out = read_aggregates(folders, last_mean(9))
    assert [record.folder for record in aggregates.records] == [*good, reference]
    begin, end = left_out.split(" Left out: ")
    assert (
        begin == "Unfinished runs left out: 1."
        and end.startswith(f"{broken / 'predictions'}")
        and end.endswith("else.")
    )
    assert summarise(folders, last_mean(9), "last-mean:9").left_out == left_out
    ordered, _ = read_aggregates(folders, last_mean(9), order=lambda record: -record.seed)
    assert [record.folder for record in ordered.records] == [reference, *good]


def test_a_frame_holds_names_and_numbers_as_they_are(tmp_path):
    """In CSV a text that a spreadsheet would compute has an apostrophe before it."""
    for method in (None, Rna()):
        store(tmp_path, plain_run("dg1:NA:@home", method=method), {"@home": [[1, 0, 1]]})
    frame = egonorm.table(tmp_path)
    assert list(frame["setting"]) == ["dg1:NA:@home"] * 2 and list(frame["tested on"]) == ["@home"] * 2
    assert list(frame["n"]) == [3, 3] and list(frame["seeds"]) == [1, 1] and frame["top-1 fused"].dtype == float
    assert list(frame["method"]) == ["rna", "source-only"] and frame["gain"].isna().tolist() == [False, True]


def test_where_no_run_is_whole_the_first_says_why(tmp_path):
    folders = [spoiled(store(tmp_path, plain_run(method=method), HITS)) for method in (None, Rna())]
    with pytest.raises(RunError, match="cannot be read"):
        read_aggregates(folders, last_mean(9))


def test_runs_are_compared_by_their_predictions(tmp_path):
    folders = [store(tmp_path, plain_run(), HITS), store(tmp_path, plain_run(method=Rna()), {"D2": [[1, 1, 1, 1, 0]]})]
    records, _ = read_records(folders, last_mean(9))
    for aggregates in (Aggregates(records), read_aggregates(folders, last_mean(9))[0]):
        assert [one.gain and one.gain.mean for one in aggregates.in_shifts()] == [None, pytest.approx(20.0)]
