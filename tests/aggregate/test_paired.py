"""From predictions to a paired comparison: which clips, which runs, and every refusal."""

import numpy as np
import pytest

from egonorm.aggregate.paired import Contest, compare, find_references, oppose, read_hits, reference_key
from egonorm.core import RunError
from egonorm.methods import Rna
from egonorm.runs.records import read_records
from egonorm.runs.results import predictions_of
from egonorm.runs.selection import last, last_mean
from stored_runs import plain_run, store


def record_of(folder, selector=None):
    """The record of one folder."""
    (record,), _ = read_records([folder], selector or last_mean(9))
    return record


def contest_of(ours, theirs, domain="D2"):
    """One run against one other."""
    return Contest((record_of(ours),), (record_of(theirs),), domain)


def test_hits_are_averaged_over_the_selected_checkpoints(tmp_path):
    folder = store(tmp_path, plain_run(), {"D2": [[1, 1, 0, 0], [1, 0, 0, 1]]})
    assert read_hits(record_of(folder), "D2").shares.tolist() == [1.0, 0.5, 0.0, 0.5]
    assert read_hits(record_of(folder, last), "D2").shares.tolist() == [1.0, 0.0, 0.0, 1.0]
    assert read_hits(record_of(folder), "D3") is None


def test_the_gain_is_the_difference_in_points(tmp_path):
    ours = store(tmp_path, plain_run(method=Rna()), {"D2": [[1, 1, 1, 0], [1, 0, 1, 1]]})
    theirs = store(tmp_path, plain_run(), {"D2": [[1, 1, 0, 0], [1, 0, 0, 1]]})
    found = compare([contest_of(ours, theirs)], read_hits)
    assert found.test.mean == pytest.approx(0.25) and found.left_out == 0
    assert (found.test.num_seeds, found.test.num_clips) == (1, 4)


def test_only_clips_that_all_were_judged_on_count(tmp_path):
    labels = {"a": 0, "b": 1, "c": 2, "d": 0}
    some = lambda *uids: {"uids": list(uids), "labels": [labels[uid] for uid in uids]}  # noqa: E731
    ours = store(tmp_path, plain_run(method=Rna()), {"D2": [[1, 1, 0]]}, **some("a", "c", "d"))
    theirs = store(tmp_path, plain_run(), {"D2": [[0, 1, 1]]}, **some("a", "b", "c"))
    found = compare([contest_of(ours, theirs)], read_hits)
    assert found.test.mean == 0.5 and found.test.num_clips == 2 and found.left_out == 2, "a gained, c is equal"
    other = store(tmp_path, plain_run(seed=1), {"D2": [[1]]}, **some("b"))
    assert compare([contest_of(ours, other)], read_hits).missing == "no common clips"


def test_other_labels_for_the_same_clips_are_refused(tmp_path):
    ours = store(tmp_path, plain_run(method=Rna()), {"D2": [[1, 1]]}, labels=[0, 1])
    theirs = store(tmp_path, plain_run(), {"D2": [[1, 1]]}, labels=[0, 2])
    with pytest.raises(RunError, match=r"rna-dg1.* and source-only.* cannot be compared(.|\n)*labels for 1 of 2 clips"):
        compare([contest_of(theirs, ours)], read_hits)


def test_predictions_that_are_not_those_of_the_rows_are_refused(tmp_path):
    folder = store(tmp_path, plain_run(), {"D2": [[1, 1, 0], [1, 1, 1]]})
    path, other = predictions_of(folder, 10, "D2"), predictions_of(folder, 20, "D2")
    whole = path.read_bytes()
    path.write_bytes(other.read_bytes())
    with pytest.raises(RunError, match=r"does not agree with the rows(.|\n)*66\.67 on 3 clips(.|\n)*egonorm test"):
        read_hits(record_of(folder), "D2")
    with np.load(other) as arrays:
        np.savez(path, **{name: arrays[name][:2] for name in arrays})
    with pytest.raises(RunError, match="does not agree with the rows"):
        read_hits(record_of(folder), "D2")
    for broken in (b"nonsense", whole[: len(whole) // 2], b""):
        path.write_bytes(broken)
        with pytest.raises(RunError, match=r"000010-D2.npz cannot be read(.|\n)*egonorm test"):
            read_hits(record_of(folder), "D2")
    path.unlink()
    assert read_hits(record_of(folder), "D2") is None


def test_without_predictions_there_is_no_comparison(tmp_path):
    ours = store(tmp_path, plain_run(method=Rna()), {"D2": [[1, 1]]})
    theirs = store(tmp_path, plain_run(), {"D1": [[1, 1]]})
    assert compare([contest_of(ours, theirs)], read_hits).missing == "no predictions"


def test_shifts_with_one_target_share_its_clips_and_others_add_theirs(tmp_path):
    hits = {("D1", "D2"): [1, 1, 0, 0], ("D3", "D2"): [1, 0, 0, 0], ("D1", "D3"): [1, 0]}
    contests = []
    for (source, target), right in hits.items():
        setting = f"dg1:{source}:{target}"
        ours = store(tmp_path, plain_run(setting, Rna()), {target: [right]})
        theirs = store(tmp_path, plain_run(setting), {target: [[0] * len(right)]})
        contests.append(contest_of(ours, theirs, target))
    test = compare(contests, read_hits).test
    assert test.mean == pytest.approx((2 / 4 + 1 / 4 + 1 / 2) / 3)
    d2, d3 = np.array([1, 0.5, 0, 0]), np.array([1.0, 0.0])
    assert test.by_clips == pytest.approx((2 / 3) ** 2 * d2.var(ddof=1) / 4 + (1 / 3) ** 2 * d3.var(ddof=1) / 2)


def test_source_only_of_the_same_network_training_and_shift_is_the_reference(tmp_path):
    run = plain_run("uda:D1:D2", Rna())
    same = [plain_run("dg1:D1:D2", seed=seed) for seed in (0, 1)]
    others = [
        plain_run("dg1:D1:D3"),
        plain_run("dg1:D2:D1"),
        plain_run("dg1:D1:D2", data="kitchens:/other"),
        plain_run("dg1:D1:D2", net=run.net.widen(0.5)),
        plain_run("dg1:D1:D2", net=run.net.choose(("rgb",))),
    ]
    records, _ = read_records([store(tmp_path, r, {"D2": [[1]]}) for r in [run, *same, *others]], last_mean(9))
    found = find_references(records)[reference_key(run)]
    assert {seed: record.run for seed, record in found.items()} == {0: same[0], 1: same[1]}
    contest = oppose([records[0]], found, "D2")
    assert contest.references[0].run == same[0]
    assert oppose([records[0]], {1: records[2]}, "D2") == "Source Only: seeds differ"
    assert oppose([records[0]], {}, "D2") == "no Source Only run"


def test_a_reference_that_no_target_was_shown_to_is_preferred(tmp_path):
    settings = ("uda:D1:D2", "dg1:D1:D2", "tta:D1:D2")
    records, _ = read_records([store(tmp_path, plain_run(s), {"D2": [[1]]}) for s in settings], last_mean(9))
    for order in (records, records[::-1]):
        (found,) = find_references(order).values()
        assert str(found[0].run.setting) == "dg1:D1:D2"
