"""Whole runs on one's own folder and on EPIC's layouts, and what goes wrong there."""

import shutil
from dataclasses import dataclass, replace
from typing import ClassVar

import media
import numpy as np
import pandas as pd
import pytest
import stores
import torch

from egonorm.cli import demo as demo_module
from egonorm.cli.demo import Demo
from egonorm.core import DataError, RunError, Setting
from egonorm.data.manifest import Clip, write_manifest
from egonorm.data.sets.synthetic import KitchensConfig
from egonorm.methods import Method, SourceOnly
from egonorm.runs.presets import PRESETS, configure
from egonorm.runs.presets import demo as demo_preset
from egonorm.runs.results import is_complete, read_rows
from egonorm.runs.run import Options, RunContext, execute, measure
from egonorm.training.runtime import start_runtime


def perform(run, folder, **options):
    with start_runtime("cpu") as runtime:
        execute(RunContext(run, folder, runtime, Options(**options)))
    return folder


@pytest.fixture
def own_clips(tmp_path, run):
    """A folder of two places: a video with sound in each, a class called 'washing up', and test clips in one place only."""
    root = tmp_path / "my clips"
    root.mkdir()
    clips = []
    for place, split in (("home", "train"), ("Büro 2", "test")):
        name = f"{place}, camera 1.mkv"
        with media.av.open(str(root / name), "w") as container:
            video = media.add_video(container, media.Fraction(1, 30))
            sound = media.add_sound(container, 48000)
            for tick in range(150):
                container.mux(video.encode(media.as_frame(media.bar_code(tick), tick, media.Fraction(1, 30))))
            container.mux(video.encode(None))
            media.mux_sound(container, sound, media.chirp(5.0, 48000), 48000)
        for k, label in enumerate(("cut", "washing up") * 2):
            clips.append(Clip(f"{place}-{k}", name, k * 1.2, k * 1.2 + 1, label, place, split))
    write_manifest(root / "manifest.csv", clips)
    return root, clips, replace(run, data=f"folder:{root}", setting=Setting("dg1", ("home",), "Büro 2"))


@pytest.mark.slow
def test_a_folder_of_own_clips(own_clips, tmp_path):
    _, _, run = own_clips
    rows = read_rows(perform(run, tmp_path / "run", workers=1))
    assert {(row.domain, row.n) for row in rows if row.metric == "top1"} == {("Büro 2", 4)}


@pytest.mark.slow
def test_a_clip_past_the_end_and_a_video_without_sound_are_refused_together(own_clips, tmp_path):
    root, clips, run = own_clips
    media.write_video(root / "silent.mp4", range(60))
    late = replace(clips[0], uid="late", start=6.0, stop=9.0)
    silent = replace(clips[0], uid="silent", media="silent.mp4")
    write_manifest(root / "manifest.csv", [*clips, late, silent])
    with pytest.raises(DataError) as caught:
        perform(run, tmp_path / "run")
    text = str(caught.value)
    assert "clip late" in text and "ends before 1 of its clips" in text and "expected at most 5.0" in text
    assert "clip silent" in text and "silent.mp4" in text
    assert is_complete(perform(run, tmp_path / "run", skip_broken=True))


@pytest.mark.slow
def test_damage_inside_a_file_is_told_whole_from_a_reading_process(own_clips, tmp_path):
    root, clips, run = own_clips
    media.spoil(root / clips[0].media, 1.0)
    run = replace(run, optim=replace(run.optim, steps=20))
    with pytest.raises(DataError) as caught:
        perform(run, tmp_path / "run", workers=1)
    assert "Traceback" not in str(caught.value) and clips[0].media in str(caught.value)


@pytest.mark.slow
def test_going_on_with_other_clips_is_refused(own_clips, tmp_path):
    root, clips, run = own_clips
    folder = perform(run, tmp_path / "run")
    (folder / "results.jsonl").unlink()
    write_manifest(root / "manifest.csv", [replace(clips[0], stop=0.9), *clips[1:]])
    with pytest.raises(RunError, match=r"was trained on other clips(.|\n)*Bring the data back"):
        perform(run, folder)


@pytest.mark.slow
def test_a_later_test_does_not_overwrite_what_training_left_out(kitchens, run, tmp_path):
    root = tmp_path / "kitchens"
    shutil.copytree(kitchens, root)
    (root / "D1" / "D1_train_00.mp4").unlink()
    run = replace(run, data=f"kitchens:{root}")
    folder = perform(run, tmp_path / "run", skip_broken=True)
    before = (folder / "left_out.json").read_text()
    perform(run, folder)  # what was decided at the start holds when it goes on
    (root / "D3" / "D3_test_00.mp4").unlink()
    with start_runtime("cpu") as runtime, pytest.raises(DataError, match="no usable test clips of D3"):
        measure(RunContext(run, folder, runtime, Options(skip_broken=True)), "D3")
    assert (folder / "left_out.json").read_text() == before and (folder / "left_out-D3.json").exists()


@pytest.mark.slow
def test_epic_kitchens_from_its_labels_and_pictures(run, tmp_path):
    """Supervised training needs test clips: the pickles are written here, as MM-SADA's are."""
    root = tmp_path / "epic"
    rng = np.random.default_rng(0)
    for split, video in (("train", "P08_01"), ("test", "P08_09")):
        rows = [
            (k, "P08", video, "cut it", "00:00:01.00", "00:00:02.00", 1 + 40 * k, 40 + 40 * k, "cut", 5 * (k % 2))
            for k in range(4)
        ]
        columns = "uid participant_id video_id narration start_timestamp stop_timestamp start_frame stop_frame verb verb_class"
        table = pd.DataFrame(rows, columns=columns.split())
        table["uid"] += 100 * (split == "test")
        (root / "splits").mkdir(parents=True, exist_ok=True)
        table.to_pickle(root / "splits" / f"D1_{split}.pkl")
        pictures = root / "rgb" / "P08" / video
        pictures.mkdir(parents=True)
        for number in range(1, 161):
            jpeg = media_jpeg(rng.integers(0, 255, (72, 96, 3), dtype=np.uint8))
            (pictures / f"frame_{number:010d}.jpg").write_bytes(jpeg)
        media.write_sound(root / f"{video}.wav", media.chirp(3.0, 24000), 24000, codec="pcm_s16le")
    epic = replace(run, data=f"epic55:{root}", setting=Setting.parse("supervised:D1:D1"))
    rows = read_rows(perform(epic, tmp_path / "run"))
    assert {(row.domain, row.n) for row in rows if row.metric == "top1"} == {("D1", 4)}


@pytest.mark.slow
def test_features_in_a_store_and_in_a_file_of_another_program_give_the_same_predictions(tmp_path):
    """With one window a clip, training has nothing to choose."""
    manifest, found = stores.write_store(tmp_path / "store", num_windows=1)
    columns = {name: [getattr(clip, name) for clip in manifest.clips] for name in ("uid", "label", "domain", "split")}
    np.savez(tmp_path / "file.npz", **columns, **{name: x.numpy() for name, x in found.items()})
    stored = []
    for name in ("store", "file.npz"):
        few = {"steps": 20, "batch": 8, "width": 0.02}
        run = configure(f"features:{tmp_path / name}", "dg1:D1:D2", SourceOnly(), "features", **few)
        folder = perform(run, tmp_path / f"run of {name}", workers=1)
        assert {(row.domain, row.n) for row in read_rows(folder) if row.metric == "top1"} == {("D1", 8), ("D2", 8)}
        stored.append((folder / "predictions" / "000020-D2.npz").read_bytes())
    assert stored[0] == stored[1]


def media_jpeg(picture: np.ndarray) -> bytes:
    import simplejpeg

    return simplejpeg.encode_jpeg(picture)


@pytest.mark.slow
def test_logits_are_averaged_on_demand_and_bfloat16_trains(run, tmp_path):
    gentle = replace(run, optim=replace(run.optim, lr=0.001))
    logits = replace(gentle, evaluation=replace(run.evaluation, average="logits"), precision="bfloat16")
    with start_runtime("cpu", "bfloat16") as runtime:
        execute(RunContext(logits, tmp_path / "run", runtime, Options()))
    with np.load(tmp_path / "run" / "predictions" / "000004-D2.npz") as stored:
        sums = stored["scores/fused"].sum(axis=1)
        np.testing.assert_allclose(stored["scores/rgb"] + stored["scores/audio"], stored["scores/fused"], rtol=1e-4)
    assert not np.allclose(sums, 1.0)


@dataclass(frozen=True)
class Watch(Method):
    """A method that notes what it is shown to adapt by, in the net's bias."""

    target_use: ClassVar[frozenset[str]] = frozenset({"after", "test"})

    def adapt(self, net, target):
        for batch in target:
            assert batch.labels is None and batch.domain == "D2"
            with torch.no_grad():
                net.fusion.classifiers["rgb"].bias[0] += 1000.0 * len(batch)
            yield


@pytest.mark.slow
@pytest.mark.parametrize(("setting", "adapted"), [("dg1:D1:D2", False), ("uda:D1:D2", True), ("tta:D1:D2", True)])
def test_a_method_adapts_to_the_target_where_it_may(setting, adapted, run, tmp_path):
    folder = perform(replace(run, setting=Setting.parse(setting), method=Watch()), tmp_path / "run")
    for domain, expected in (("D1", False), ("D2", adapted)):
        with np.load(folder / "predictions" / f"000004-{domain}.npz") as stored:
            assert (stored["scores/fused"].argmax(axis=1) == 0).all() == expected or (domain == "D1" and not expected)


@pytest.fixture
def one_thread_after():
    """The demo takes all cores; the tests after it have one."""
    yield
    torch.set_num_threads(1)


@pytest.mark.slow
def test_the_demo_and_its_second_call(one_thread_after, kitchens, monkeypatch, tmp_path, capsys):
    usual = demo_preset()
    few = replace(
        usual,
        net=usual.net.widen(0.0625),
        optim=replace(usual.optim, steps=4, batch=4),
        evaluation=replace(usual.evaluation, num_windows=1, keep=1),
    )
    monkeypatch.setitem(PRESETS, "demo", lambda: few)
    monkeypatch.setattr(demo_module, "DEMO_KITCHENS", KitchensConfig(clips=24, kitchens=3, seed=1, size=(72, 96)))
    shutil.copytree(kitchens, tmp_path / "demo" / "kitchens")
    demo = Demo(tmp_path / "demo", workers=0)
    demo()
    first = capsys.readouterr().out
    lines = [line.split() for line in first.splitlines() if "dg1:D1:D2" in line]
    assert [(cells[0], cells[2]) for cells in lines[:6]] == [
        (m, d) for m in ("source-only", "rna") for d in ("D1", "D2", "D3")
    ]
    page = tmp_path / "demo" / "report" / "index.html"
    assert "egonorm train" in first and f"Page    {page}" in first
    assert "RNA-Net against Source Only" in page.read_text() and "data:video/mp4" in page.read_text()

    def kept():
        places = (path for path in tmp_path.rglob("*") if path.is_file() and page.parent not in path.parents)
        return {path: path.stat().st_mtime_ns for path in places}

    before = kept()
    demo()
    assert capsys.readouterr().out == first and kept() == before
