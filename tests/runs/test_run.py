"""A run from configuration to rows: what lies in its folder, what a second call does, and every refusal before training."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from egonorm.core import DataError, RunError, Setting, SettingError
from egonorm.data.sets import open_clip_set
from egonorm.methods import Rna
from egonorm.runs.config import read_run, write_run
from egonorm.runs.directory import claim
from egonorm.runs.results import COMPLETE, is_complete, read_rows, write_rows
from egonorm.runs.run import Options, RunContext, execute, make_row, measure
from egonorm.training.runtime import start_runtime


def perform(run, folder, **options):
    with start_runtime("cpu") as runtime:
        execute(RunContext(run, folder, runtime, Options(**options)))
    return folder


@pytest.mark.slow
def test_the_folder_of_a_run_and_a_second_call(run, tmp_path):
    folder = perform(replace(run, method=Rna()), tmp_path / "run")
    assert {path.name for path in folder.iterdir()} == {
        ".lock",
        ".rows.lock",
        "config.json",
        "environment.json",
        "train.jsonl",
        "results.jsonl",
        "predictions",
        "checkpoints",
    }
    log = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log] == [1, 2, 3, 4]
    assert set(log[0]["terms"]) == {"class", "rna"} and set(log[0]["norms"]) == {"D1/rgb", "D1/audio"}
    assert [set(entry["accuracy"]) for entry in log] == [{"D1"}] * 4
    assert ["classes" in entry for entry in log] == [False, False, False, True]
    rows = read_rows(folder)
    assert rows[-1].metric == COMPLETE
    assert {(row.step, row.domain) for row in rows[:-1]} == {
        (step, domain) for step in (2, 4) for domain in ("D1", "D2")
    }
    with np.load(folder / "predictions" / "000004-D2.npz") as stored:
        top1 = 100 * (stored["scores/fused"].argmax(1) == stored["labels"]).mean()
        classes, counts = stored["classes"].tolist(), np.bincount(stored["labels"])
        assert classes[0] == "take"
    assert {row.metric for row in rows[:-1]} == {
        "top1",
        "top1/rgb",
        "top1/audio",
        "mean_class_accuracy",
        "mean_norm/rgb",
        "mean_norm/audio",
        "mean_norm_difference/rgb-audio",
        "norm_share/rgb",
        "norm_share/audio",
        "answer_share/rgb",
        "answer_share/audio",
        *(f"recall/{name}" for name in classes),
    }
    support = {row.metric: row.n for row in rows if (row.step, row.domain) == (4, "D2") and "recall" in row.metric}
    assert support == {f"recall/{name}": n for name, n in zip(classes, counts, strict=True)}
    assert [row.value for row in rows if (row.step, row.domain, row.metric) == (4, "D2", "top1")] == [top1]
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    perform(replace(run, method=Rna()), folder)
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_an_unfinished_run_is_not_judged_and_one_without_checkpoints_is_not_to_be_resumed(run, tmp_path):
    write_run(tmp_path / "run", run)
    with start_runtime("cpu") as runtime:
        context = RunContext(run, tmp_path / "run", runtime, Options())
        with pytest.raises(RunError, match=r"is not finished(.|\n)*step 0 of(.|\n)*train --resume"):
            measure(context, "D2")
        assert not (tmp_path / "run" / "results.jsonl").exists()
        write_rows(tmp_path / "run", [make_row(context, 1, "D2", COMPLETE, 1.0, 0)])
        with pytest.raises(
            RunError, match=r"has no checkpoints any more(.|\n)*from a copy, or train anew with another --out"
        ):
            measure(context, "D2")


def test_whoever_names_a_folder_of_runs_is_told_of_them_and_never_to_remove_it(run, tmp_path):
    write_run(tmp_path / "runs" / "first", run)
    with pytest.raises(
        RunError, match=r"is not the folder of a run(.|\n)*Name one of the runs in it, such as .*first"
    ) as told:
        read_run(tmp_path / "runs")
    assert "emove" not in str(told.value)
    (tmp_path / "runs" / "first" / "config.json").write_text("{")
    with pytest.raises(RunError, match=r"Bring config.json back from a copy, or do the run anew with another --out"):
        read_run(tmp_path / "runs" / "first")
    with pytest.raises(RunError, match=r"Name a run's folder"):
        read_run(tmp_path)


@pytest.mark.slow
def test_another_domain_is_measured_later(run, tmp_path):
    folder = perform(run, tmp_path / "run")
    before = [row for row in read_rows(folder) if row.metric != COMPLETE]
    for _ in range(2):
        with start_runtime("cpu") as runtime:
            measure(RunContext(run, folder, runtime, Options()), "D3")
        rows = read_rows(folder)
        assert is_complete(folder) and [row for row in rows[:-1] if row.domain != "D3"] == before
        assert sum(row.domain == "D3" and row.metric == "top1" for row in rows) == 2
    with (
        start_runtime("cpu") as runtime,
        pytest.raises(DataError, match=r"no usable test clips of D7(.|\n)*one of D1, D2, D3"),
    ):
        measure(RunContext(run, folder, runtime, Options()), "D7")


@pytest.mark.slow
def test_same_seed_same_bytes(run, tmp_path):
    runs = {"one": run, "two": run, "three": replace(run, seed=1)}
    folders = [perform(run, tmp_path / name) for name, run in runs.items()]
    one, two, three = ((folder / "checkpoints" / "000004.safetensors").read_bytes() for folder in folders)
    assert one == two != three


@pytest.mark.slow
def test_two_sources_and_a_target_in_training(run, tmp_path):
    two = replace(run, setting=Setting.parse("dgn:D1+D3:D2"), method=Rna())
    log = json.loads((perform(two, tmp_path / "dgn") / "train.jsonl").read_text().splitlines()[0])
    assert set(log["norms"]) == {"D1/rgb", "D1/audio", "D3/rgb", "D3/audio"}
    assert set(log["accuracy"]) == {"D1", "D3"}
    adapt = replace(run, setting=Setting.parse("uda:D1:D2"), method=Rna())
    log = json.loads((perform(adapt, tmp_path / "uda") / "train.jsonl").read_text().splitlines()[0])
    assert set(log["norms"]) == {"D1/rgb", "D1/audio", "D2/rgb", "D2/audio"}
    assert set(log["accuracy"]) == {"D1"}


@pytest.mark.slow
def test_one_modality_alone(run, tmp_path):
    alone = replace(run, net=run.net.choose(("audio",)))
    rows = read_rows(perform(alone, tmp_path / "audio"))
    assert {row.metric for row in rows if row.metric.startswith("top1")} == {"top1", "top1/audio"}
    with pytest.raises(SettingError, match=r"method rna cannot work in the setting dg1:D1:D2 with 1 modality"):
        perform(replace(alone, method=Rna(), data="folder:/nowhere"), tmp_path / "rna")


def test_refusals_before_training(run, tmp_path):
    with pytest.raises(SettingError, match="unknown domain D9"):
        perform(replace(run, setting=Setting("dg1", ("D9",), "D2")), tmp_path / "a")
    assert not (tmp_path / "a").exists()
    folder = perform(run, tmp_path / "b")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(RunError, match="belongs to another configuration"):
        perform(replace(run, seed=5), folder)
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "thesis.txt").write_text("precious")
    with pytest.raises(RunError, match="holds something that is no run"):
        perform(run, tmp_path / "c")
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["thesis.txt"]


@pytest.fixture
def broken(kitchens, run, tmp_path):
    """The same kitchens with a missing video and a truncated one."""
    root = tmp_path / "broken"
    shutil.copytree(kitchens, root)
    first, second = (root / "D1" / "D1_train_00.mp4"), (root / "D3" / "D3_train_01.mp4")
    first.unlink()
    second.write_bytes(second.read_bytes()[: second.stat().st_size // 2])
    two = Setting.parse("dgn:D1+D3:D2")
    return replace(run, data=f"kitchens:{root}", setting=two), first.name, second.name


def test_broken_media_are_all_named_before_training(broken, tmp_path):
    run, missing, truncated = broken
    with pytest.raises(DataError) as caught:
        perform(run, tmp_path / "run")
    text = str(caught.value)
    assert missing in text and truncated in text and "--skip-broken" in text
    assert not (tmp_path / "run" / "train.jsonl").exists()


@pytest.mark.slow
def test_broken_media_are_left_out_on_demand_and_listed_with_the_results(broken, tmp_path):
    run, missing, truncated = broken
    folder = perform(run, tmp_path / "run", skip_broken=True)
    assert is_complete(folder)
    listed = json.loads((folder / "left_out.json").read_text())
    assert {entry["media"] for entry in listed} == {f"D1/{missing}", f"D3/{truncated}"}
    assert all(entry["clips"] and entry["why"] for entry in listed)


@pytest.mark.slow
def test_other_classes_are_refused(run, kitchens, tmp_path):
    folder = perform(run, tmp_path / "run")
    other = tmp_path / "other"
    shutil.copytree(kitchens, other)
    (other / "classes.txt").write_text("\n".join(sorted(open_clip_set(run.data).manifest.classes)))
    with start_runtime("cpu") as runtime, pytest.raises(DataError, match="other classes"):
        measure(RunContext(replace(run, data=f"folder:{other}"), folder, runtime, Options()), "D2")


@pytest.mark.slow
def test_two_trainings_of_one_run_at_the_same_time_are_refused(run, tmp_path):
    folder = tmp_path / "run"
    with claim(folder, run), pytest.raises(RunError, match="is being trained by another process"):
        perform(run, folder)
    assert is_complete(perform(run, folder))


def test_a_refused_run_leaves_no_folder(broken, tmp_path):
    with pytest.raises(DataError):
        perform(broken[0], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_domain_that_loses_all_its_clips_is_named(run, kitchens, tmp_path):
    root = tmp_path / "kitchens"
    shutil.copytree(kitchens, root)
    (root / "D2" / "D2_test_00.mp4").unlink()
    with pytest.raises(DataError, match=r"needs usable test clips of D2(.|\n)*none; 8 clips were left out"):
        perform(replace(run, data=f"kitchens:{root}"), tmp_path / "run", skip_broken=True)
