"""The log of a training: what a run writes, and what can be read of one that is old, cut short or gone."""

import json
from dataclasses import replace

import pytest

from egonorm.methods import Rna
from egonorm.runs.presets import configure
from egonorm.runs.run import Options, RunContext, execute
from egonorm.runs.train_log import LOG, OfClass, last_seconds, read_log
from egonorm.training.runtime import start_runtime


@pytest.fixture(scope="module")
def logged(feature_store, tmp_path_factory):
    """The folder of a run of 12 steps on the clips of two kitchens, one of them without its labels."""
    run = configure(f"features:{feature_store}", "uda:D1:D2", Rna(), "features", steps=12, batch=6, width=0.01)
    run = replace(run, evaluation=replace(run.evaluation, every=6))
    folder = tmp_path_factory.mktemp("logged") / "run"
    with start_runtime("cpu") as runtime:
        execute(RunContext(run, folder, runtime, Options(quiet=True)))
    return folder


def test_every_step_has_norms_and_accuracy_and_every_tenth_and_the_last_its_classes(logged):
    log = read_log(logged)
    assert [step.step for step in log] == list(range(1, 13))
    for step in log:
        assert set(step.terms) == {"class", "rna"} and set(step.accuracy) == {"D1"}
        assert set(step.norms) == {(domain, modality) for domain in ("D1", "D2") for modality in ("rgb", "audio")}
    assert [step.step for step in log if step.classes] == [10, 12]


def test_the_classes_of_a_step_are_its_clips(logged):
    for step in read_log(logged):
        for domain, classes in step.classes.items():
            assert domain == "D1" and set(classes) <= {"cut", "pour", "wash"}
            assert sum(of.n for of in classes.values()) == 6 and all(of.n > 0 for of in classes.values())
            mean = lambda value: sum(of.n * value(of) for of in classes.values()) / 6  # noqa: B023, E731
            assert mean(lambda of: of.accuracy) == pytest.approx(step.accuracy[domain])
            for modality in ("rgb", "audio"):
                assert mean(lambda of: of.norms[modality]) == pytest.approx(step.norms[domain, modality], rel=1e-6)  # noqa: B023


def entry(step, **more):
    return json.dumps(
        {"step": step, "lr": 0.1, "terms": {"class": 1.5}, "norms": {"D/1/rgb": 3.0}, "seconds": 1.0} | more
    )


def test_a_log_that_a_kill_cut_short_is_read_up_to_there(tmp_path):
    about = {"cut": {"n": 2, "accuracy": 50.0, "norms": {"rgb": 3.0}}}
    lines = [
        entry(1),
        "",
        "[1]",
        '{"step": 9}',
        entry(3, accuracy={"D/1": 25.0}, classes={"D/1": about}),
        entry(2),
        entry(4)[:-9],
    ]
    (tmp_path / LOG).write_text("\n".join(lines))
    log = read_log(tmp_path)
    assert [step.step for step in log] == [1, 2, 3]
    assert log[0].norms == {("D/1", "rgb"): 3.0} and log[0].accuracy == {} and log[0].classes == {}
    assert log[2].accuracy == {"D/1": 25.0} and log[2].classes == {"D/1": {"cut": OfClass(2, 50.0, {"rgb": 3.0})}}


def test_a_log_that_is_gone_or_no_text_has_no_steps(tmp_path):
    assert read_log(tmp_path) == ()
    (tmp_path / LOG).write_bytes(b"\xff\xfe\x00 garbage\n")
    assert read_log(tmp_path) == ()
    (tmp_path / LOG).unlink()
    (tmp_path / LOG).mkdir()
    assert read_log(tmp_path) == ()


@pytest.mark.parametrize(
    "line",
    [
        '{"step": Infinity, "terms": {}, "norms": {}}',
        '{"step": NaN, "terms": {}, "norms": {}}',
        entry(10**300),
        entry(-1),
        entry("2"),
        entry(2, terms={"class": 10**400}),
        entry(2, norms={"D1/rgb": None}),
        entry(2, classes={"D1": {"cut": {"n": 10**400, "accuracy": 1.0, "norms": {}}}}),
        entry(2, classes={"D1": {"cut": {"n": float("inf"), "accuracy": 1.0, "norms": {}}}}),
        f'{{"step": 2, "terms": {{"class": 1{"0" * 5000}}}, "norms": {{}}}}',
    ],
)
def test_a_line_of_absurd_numbers_is_left_out(tmp_path, line):
    (tmp_path / LOG).write_text(f"{entry(1)}\n{line}\n{entry(3)}\n")
    assert [step.step for step in read_log(tmp_path)] == [1, 3]


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [
        ([entry(1), entry(2, seconds=2.5)], 2.5),
        ([entry(1, seconds=3), entry(2)[:-9]], 3.0),
        ([entry(1), '{"step": 2}', "3", '{"seconds": NaN}', '{"seconds": "x"}', '{"seconds": [1]}', ""], 1.0),
        ([entry(1), f'{{"seconds": 1{"0" * 400}}}'], 1.0),
        (['{"step": 2}'], None),
    ],
)
def test_the_seconds_are_those_of_the_last_line_that_says_them(tmp_path, lines, seconds):
    assert last_seconds(tmp_path) is None
    (tmp_path / LOG).write_text("\n".join(lines))
    assert last_seconds(tmp_path) == seconds
