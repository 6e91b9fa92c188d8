"""Which runs are one configuration, which shift they are of, and what tells configurations apart in words."""

from dataclasses import replace

import pytest

from egonorm.aggregate.aggregate import Aggregates, describe_differences, group_runs, label_groups, plain
from egonorm.core import Setting
from egonorm.core.types import Shift
from egonorm.methods import Rna
from egonorm.methods.hna import Hna
from egonorm.runs.config import ANYWHERE
from egonorm.runs.results import last_mean, read_records
from stored_runs import plain_run, store


def records_of(out, runs, domains=("D2",)):
    """The records of these runs, each judged on the domains."""
    return read_records([store(out, run, {d: [[1, 0]] for d in domains}) for run in runs], last_mean(9))[0]


@pytest.mark.parametrize(
    ("setting", "domain", "target", "title"),
    [
        ("dg1:D1:D2", "D2", "D2", "D1 → D2"),
        ("dg1:D1:D2", "D3", "D3", "D1 → D3"),
        ("dg1:D1:D2", "D1", "D2", "D1 → D1"),
        ("dgn:D1+D2:D3", "D4", "D4", "D1+D2 → D4"),
        ("uda:D1:D2", "D3", "D2", "D1 → D3 (target D2)"),
        ("tta:D1:D2", "D2", "D2", "D1 → D2"),
        ("supervised:D1:D1", "D1", "D1", "D1 → D1"),
        ("supervised:D1:D1", "D2", "D1", "D1 → D2 (target D1)"),
    ],
)
def test_the_shift_of_a_run_in_a_domain(setting, domain, target, title):
    shift = Shift.of(Setting.parse(setting), domain)
    assert (shift.target, shift.title) == (target, title)
    assert shift.is_compared == (title != "D1 → D1" or setting.startswith("supervised"))
    assert shift.is_official == (shift.is_compared and domain == target)


def test_runs_made_for_a_domain_stand_for_its_shift_and_others_do_not_count_again(tmp_path):
    runs = [plain_run("dg1:D1:D2", seed=seed) for seed in (1, 0)] + [plain_run("dg1:D1:D3")]
    aggregates = Aggregates(records_of(tmp_path, runs, ("D1", "D2", "D3")))
    (group,) = aggregates.groups
    found = {shift.title: [str(r.run.setting) for r in some.values()] for shift, some in group.by_shift.items()}
    assert found["D1 → D3"] == ["dg1:D1:D3"] and found["D1 → D2"] == ["dg1:D1:D2"] * 2
    shown = [(str(one.records[0].run.setting), one.shifts[0].domain, one.seeds) for one in aggregates.in_shifts()]
    assert sorted(shown) == [
        ("dg1:D1:D2", "D1", (0, 1)),
        ("dg1:D1:D2", "D2", (0, 1)),
        ("dg1:D1:D3", "D1", (0,)),
        ("dg1:D1:D3", "D3", (0,)),
    ]
    assert aggregates.not_shown == 3


def test_other_options_are_another_configuration_also_where_they_share_no_shift(tmp_path):
    runs = [plain_run("dg1:D1:D2", Rna()), plain_run("dgn:D1+D3:D2", Rna(weight=0.5))]
    groups = group_runs(records_of(tmp_path, runs))
    assert [name for name, _ in label_groups(groups)] == ["rna", "rna:weight=0.5"]


def test_a_copy_of_a_run_is_no_second_seed(tmp_path):
    folders = [store(tmp_path / name, plain_run(), {"D2": [[1, 0]]}) for name in ("a", "b")]
    aggregates = Aggregates(read_records(folders, last_mean(9))[0])
    assert [one.seeds for one in aggregates.in_shifts()] == [(0,)] and aggregates.not_shown == 1


def test_numbers_from_other_runs_tell_no_configurations_apart_but_within_a_shift(tmp_path):
    runs = [plain_run(f"dg1:D1:{target}", Hna(radius)) for target, radius in (("D2", 7.0), ("D3", 8.0))]
    (group,) = group_runs(records_of(tmp_path / "one", runs))
    assert group.run.method == Hna() and len(group.records) == 2
    runs += [plain_run("dg1:D1:D2", Hna(9.0), seed=1), plain_run("uda:D1:D2", Hna(7.5))]
    groups = group_runs(records_of(tmp_path / "two", runs))
    assert [group.run.method.radius for group in groups] == [7.0, 8.0, 9.0, Hna().radius]
    assert [{shift.family for shift in group.by_shift} for group in groups] == [{"dg1"}, {"dg1"}, {"dg1"}, {"uda"}]
    assert label_groups(groups[:2]) == [("hna:radius=7", ""), ("hna:radius=8", "")]


def test_methods_tell_runs_apart_that_share_all_else(tmp_path):
    (record,) = records_of(tmp_path, [plain_run("dg1:D1:D2", Hna(7.0), seed=3)])
    other = replace(record, stored=replace(record.stored, method=Rna()), measured={"D3": record.measured["D2"]})
    assert [group.records for group in group_runs([record, other])] == [(record,), (other,)]
    assert plain(record.run) == replace(record.run, setting=ANYWHERE, seed=0, method=Hna())


def test_words_tell_configurations_apart_and_digits_where_words_do_not(tmp_path):
    run = plain_run()
    others = [replace(run, method=Rna(weight=weight)) for weight in (1.0, 2.0)]
    groups = group_runs(records_of(tmp_path / "words", [run, *others]))
    assert label_groups(groups) == [("source-only", ""), ("rna", ""), ("rna:weight=2", "")]
    faster = [replace(run, optim=replace(run.optim, lr=lr)) for lr in (0.1, 0.2)]
    groups = group_runs(records_of(tmp_path / "numbers", faster))
    assert label_groups(groups) == [("source-only", "lr 0.1"), ("source-only", "lr 0.2")]
    streams, rgb = run.net.streams, run.net.streams["rgb"]
    sides = [streams | {"rgb": replace(rgb, input=replace(rgb.input, short_side=side))} for side in (40, 44)]
    groups = group_runs(records_of(tmp_path / "looks", [replace(run, net=replace(run.net, streams=s)) for s in sides]))
    assert label_groups(groups) == [("source-only", "rgb short_side 40"), ("source-only", "rgb short_side 44")]
    optim = replace(run.optim, lr=0.3, steps=90, batch=3, milestones=(0.5,))
    other = replace(run, optim=optim, evaluation=replace(run.evaluation, num_windows=2))
    groups = group_runs(records_of(tmp_path / "digits", [run, other]))
    assert label_groups(groups) == [("source-only", group.digits) for group in groups]
    assert len({group.digits for group in groups}) == 2
    concat = [replace(run, net=replace(run.net, fusion="concat")) for run in faster]
    groups = group_runs(records_of(tmp_path / "both", [run, *concat, others[0]]))
    assert [label for _, label in label_groups([groups[0], groups[1], groups[3]])] == [
        "sum lr 0.03",
        "concat lr 0.1",
        "",
    ]
    told = ["sum lr 0.03", "concat lr 0.1", "concat lr 0.2", ""]
    assert label_groups(groups) == list(zip(["source-only"] * 3 + ["rna"], told, strict=True))


RUN = plain_run()


def optim(**changes):
    return replace(RUN.optim, **changes)


def with_input(stream, **changes):
    """The network with another input of a stream."""
    old = RUN.net.streams[stream]
    return replace(RUN.net, streams=RUN.net.streams | {stream: replace(old, input=replace(old.input, **changes))})


FOUR = {"steps": 90, "batch": 3, "lr": 0.3, "milestones": (0.5, 0.75)}


@pytest.mark.parametrize(
    ("changes", "words", "others"),
    [
        ({"setting": Setting.parse("dg1:D1:D3"), "seed": 3, "method": Rna()}, "", ""),
        (
            {"data": "kitchens:/other", "precision": "bfloat16"},
            "data kitchens:/data/kitchens precision float32",
            "data kitchens:/other precision bfloat16",
        ),
        (
            {"optim": optim(**FOUR)},
            "steps 240 batch 16 lr 0.03 milestones [0.6666666666666666]",
            "steps 90 batch 3 lr 0.3 milestones [0.5, 0.75]",
        ),
        ({"optim": optim(**FOUR, gamma=0.5)}, "", ""),
        ({"optim": optim(momentum=0.8, frozen=("rgb",))}, "", "momentum 0.8 frozen rgb"),
        ({"evaluation": replace(RUN.evaluation, num_windows=2)}, "num_windows 5", "num_windows 2"),
        ({"net": with_input("rgb", displacement=True)}, "rgb displacement false", "rgb displacement true"),
        (
            {"net": with_input("audio", spectrogram=replace(RUN.net.streams["audio"].input.spectrogram, hop=120))},
            "audio spectrogram hop 240",
            "audio spectrogram hop 120",
        ),
        (
            {"net": with_input("rgb", crop=56).choose(("rgb",))},
            "rgb+audio rgb crop 64",
            "rgb rgb crop 56",
        ),
        (
            {"net": replace(RUN.net.widen(0.5), fusion="concat"), "optim": optim(lr=1.0)},
            "sum rgb by i3d, width 0.25 audio by bn-inception, width 0.25 lr 0.03",
            "concat rgb by i3d, width 0.5 audio by bn-inception, width 0.5 lr 1.0",
        ),
    ],
)
def test_what_tells_two_runs_apart_in_words(changes, words, others):
    assert describe_differences([RUN, replace(RUN, **changes)]) == [words, others]
    assert describe_differences([RUN, RUN]) == ["", ""] and describe_differences([RUN]) == [""]
    assert describe_differences([]) == []


def test_digits_stand_behind_words_that_do_not_tell(tmp_path):
    runs = [replace(RUN, net=replace(RUN.net, fusion="concat"), optim=x) for x in (RUN.optim, optim(**FOUR, gamma=0.5))]
    groups = group_runs(records_of(tmp_path, [RUN, *runs]))
    told = ["sum", *(f"concat {group.digits}" for group in groups[1:])]
    assert label_groups(groups) == [("source-only", words) for words in told]
