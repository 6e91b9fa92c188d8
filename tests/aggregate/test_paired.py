"""From predictions to a paired comparison: which clips, which runs, and every refusal."""

from dataclasses import replace

import numpy as np
import pytest

from egonorm.aggregate.aggregate import find_reference, group_runs
from egonorm.aggregate.paired import PairedRuns, compare, match_seeds, read_hits
from egonorm.core import RunError, Setting
from egonorm.core.types import Shift
from egonorm.methods import Rna
from egonorm.runs.config import predictions_of
from egonorm.runs.results import last, last_mean, read_records
from stored_runs import plain_run, store


def record_of(folder, selector=None):
    """The record of one folder."""
    (record,), _ = read_records([folder], selector or last_mean(9))
    return record


def pairs_of(ours, theirs, setting="dg1:D1:D2"):
    """One run against one other in the shift of a setting."""
    shift = Shift.of(Setting.parse(setting), Setting.parse(setting).target)
    return PairedRuns({shift: (record_of(ours),)}, {shift: (record_of(theirs),)}, (0,))


def test_hits_are_averaged_over_the_selected_checkpoints(tmp_path):
    folder = store(tmp_path, plain_run(), {"D2": [[1, 1, 0, 0], [1, 0, 0, 1]]})
    assert read_hits(record_of(folder), "D2").shares.tolist() == [1.0, 0.5, 0.0, 0.5]
    assert read_hits(record_of(folder, last), "D2").shares.tolist() == [1.0, 0.0, 0.0, 1.0]
    assert read_hits(record_of(folder), "D3") is None


def test_the_gain_is_the_difference_in_points(tmp_path):
    ours = store(tmp_path, plain_run(method=Rna()), {"D2": [[1, 1, 1, 0], [1, 0, 1, 1]]})
    theirs = store(tmp_path, plain_run(), {"D2": [[1, 1, 0, 0], [1, 0, 0, 1]]})
    found = compare(pairs_of(ours, theirs), read_hits)
    assert found.test.mean == pytest.approx(0.25) and (found.left_out, found.missing, found.seeds) == (0, "", (0,))
    assert (found.test.num_seeds, found.test.num_clips) == (1, 4)


def test_only_clips_that_all_were_judged_on_count(tmp_path):
    labels = {"a": 0, "b": 1, "c": 2, "d": 0}
    some = lambda *uids: {"uids": list(uids), "labels": [labels[uid] for uid in uids]}  # noqa: E731
    ours = store(tmp_path, plain_run(method=Rna()), {"D2": [[1, 1, 0]]}, **some("a", "c", "d"))
    theirs = store(tmp_path, plain_run(), {"D2": [[0, 1, 1]]}, **some("a", "b", "c"))
    found = compare(pairs_of(ours, theirs), read_hits)
    assert found.test.mean == 0.5 and found.test.num_clips == 2 and found.left_out == 2, "a gained, c is equal"
    other = store(tmp_path, plain_run(seed=1), {"D2": [[1]]}, **some("b"))
    assert compare(pairs_of(ours, other), read_hits).missing == "no common clips"


def test_other_labels_for_the_same_clips_are_no_gain_and_named(tmp_path):
    ours = store(tmp_path, plain_run(method=Rna()), {"D2": [[1, 1, 1]]}, labels=[0, 1, 1])
    theirs = store(tmp_path, plain_run(), {"D2": [[1, 1, 1]]}, labels=[0, 2, 1])
    found = compare(pairs_of(theirs, ours), read_hits)
    assert (found.test, found.missing) == (None, f"other labels for 1 of 3 clips in {ours.name} and {theirs.name}")


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
    assert compare(pairs_of(ours, theirs), read_hits).missing == "no predictions"


def test_shifts_with_one_target_share_its_clips_and_others_add_theirs(tmp_path):
    hits = {("D1", "D2"): [1, 1, 0, 0], ("D3", "D2"): [1, 0, 0, 0], ("D1", "D3"): [1, 0]}
    pairs = []
    for (source, target), right in hits.items():
        setting = f"dg1:{source}:{target}"
        ours = store(tmp_path, plain_run(setting, Rna()), {target: [right]})
        theirs = store(tmp_path, plain_run(setting), {target: [[0] * len(right)]})
        pairs.append(pairs_of(ours, theirs, setting))
    both = (
        {shift: runs for pair in pairs for shift, runs in getattr(pair, side).items()}
        for side in ("runs", "references")
    )
    test = compare(PairedRuns(*both, (0,)), read_hits).test
    assert test.mean == pytest.approx((2 / 4 + 1 / 4 + 1 / 2) / 3)
    d2, d3 = np.array([1, 0.5, 0, 0]), np.array([1.0, 0.0])
    assert test.by_clips == pytest.approx((2 / 3) ** 2 * d2.var(ddof=1) / 4 + (1 / 3) ** 2 * d3.var(ddof=1) / 2)


def groups_of(out, runs, domains=("D2",)):
    """The groups of these runs, each judged on the domains."""
    records, _ = read_records([store(out, run, {domain: [[1]] for domain in domains}) for run in runs], last_mean(9))
    return group_runs(records)


def test_source_only_of_the_same_network_and_training_is_the_reference(tmp_path):
    run = plain_run("uda:D1:D2", Rna())
    same = [plain_run("dg1:D1:D2", seed=seed) for seed in (0, 1)]
    others = [
        plain_run("dg1:D2:D1"),
        plain_run("dg1:D1:D2", data="kitchens:/other"),
        plain_run("dg1:D1:D2", net=run.net.widen(0.5)),
        plain_run("dg1:D1:D2", net=run.net.choose(("rgb",))),
        plain_run("dg1:D1:D2", net=run.net.choose(("audio", "rgb"))),
    ]
    groups = groups_of(tmp_path, [run, *same, *others])
    reference = find_reference(groups[0], groups)
    found = reference.trained_on(("D1",), "D2")
    assert {seed: record.run for seed, record in found.items()} == {0: same[0], 1: same[1]}
    (shift,) = groups[0].by_shift
    assert match_seeds(groups[0].by_shift, {shift: found}).references[shift][0].run == same[0]
    assert match_seeds(groups[0].by_shift, {shift: {1: found[1]}}) == "Source Only: seeds differ"
    assert match_seeds(groups[0].by_shift, {shift: {}}) == "no Source Only run"


def test_a_reference_that_no_target_was_shown_to_is_preferred(tmp_path):
    settings = ("uda:D1:D2", "dg1:D1:D2", "tta:D1:D2")
    for order in (settings, settings[::-1]):
        (group,) = groups_of(tmp_path / order[0][:3], [plain_run(setting) for setting in order])
        assert str(group.trained_on(("D1",), "D2")[0].run.setting) == "dg1:D1:D2"


def test_source_only_stands_in_for_its_other_targets(tmp_path):
    (group,) = groups_of(
        tmp_path, [plain_run("dg1:D1:D2"), plain_run("dg1:D1:D2", seed=1), plain_run("dg1:D1:D3")], ("D3",)
    )
    assert {s: str(r.run.setting) for s, r in group.trained_on(("D1",), "D3").items()} == {
        0: "dg1:D1:D3",
        1: "dg1:D1:D2",
    }
    assert group.trained_on(("D2",), "D3") == {}


def test_seeds_of_one_side_alone_do_not_count(tmp_path):
    rna, source_only = groups_of(
        tmp_path, [plain_run(method=Rna(), seed=s) for s in (2, 0)] + [plain_run(seed=s) for s in (0, 1)]
    )
    (shift,) = rna.by_shift
    paired = match_seeds(rna.by_shift, source_only.by_shift)
    assert (paired.seeds, paired.unmatched) == ((0,), (1, 2))
    assert [record.run.seed for record in paired.runs[shift]] == [0]


def test_source_only_in_a_lesser_network_is_compared_with_the_whole_one(tmp_path):
    net = plain_run().net
    nets = {"whole": net, "concat": replace(net, fusion="concat"), "rgb": net.choose(("rgb",))}
    groups = groups_of(
        tmp_path, [plain_run(net=one) for one in nets.values()] + [plain_run(method=Rna(), net=nets["concat"])]
    )
    whole, concat, rgb, rna = groups
    assert [find_reference(group, groups) for group in groups] == [None, whole, whole, concat]
    assert find_reference(rna, [whole, rgb, rna]) is None and find_reference(concat, [concat, rgb]) is None


def test_a_lesser_network_has_the_training_of_the_whole_one_but_for_the_streams_that_it_lacks(tmp_path):
    run = plain_run()
    alone = run.net.choose(("rgb",))
    frozen = [replace(run.optim, frozen=names) for names in (("rgb.encoder", "audio.encoder"), ("rgb.encoder",))]
    whole, same, other = groups_of(
        tmp_path,
        [plain_run(optim=frozen[0]), plain_run(optim=frozen[1], net=alone), plain_run(net=alone)],
    )
    assert find_reference(same, [whole, same, other]) is whole
    assert find_reference(other, [whole, other]) is None
