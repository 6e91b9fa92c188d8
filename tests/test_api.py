"""The Python door: datasets that any loader reads, networks, trained runs, frames, and what goes wrong there."""

import json
import os
import subprocess
import sys

import pytest
import safetensors.torch
import torch
from torch.utils.data import DataLoader

import egonorm
from egonorm.core import DataError, EgonormError, RunError
from egonorm.core.errors import ArgumentError
from egonorm.core.files import write_atomically
from egonorm.core.tensors import METADATA
from egonorm.nets.net import network_of
from egonorm.runs.config import to_json
from programs import program
from stored_runs import plain_run, store

QUICK = {"preset": "demo", "steps": 2, "batch": 4, "width": 0.0625, "device": "cpu"}


@pytest.fixture(scope="module")
def data(kitchens):
    return egonorm.open_data(f"kitchens:{kitchens}")


@pytest.fixture(scope="module")
def folder(kitchens, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    return egonorm.train(f"kitchens:{kitchens}", "dg1:D1:D2", "rna", out=out, **QUICK)


def test_importing_is_light():
    heavy = "import sys, egonorm; print([name for name in ('torch', 'numpy', 'pandas', 'av') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout == "[]\n"


def test_every_name_is_there():
    assert all(getattr(egonorm, name) is not None for name in egonorm.__all__) and set(egonorm.__all__) <= set(
        dir(egonorm)
    )
    with pytest.raises(AttributeError, match="module 'egonorm' has no attribute 'nothing'"):
        _ = egonorm.nothing


def test_clips_are_a_torch_dataset(data):
    clips = data.clips("train", ["D1", "D3"], preset="demo")
    assert len(clips) == len(data.manifest.select(["D1", "D3"], "train"))
    one = clips[3]
    assert one.uids == (clips.manifest.clips[3].uid,) and one.inputs["rgb"].dtype == torch.uint8
    assert clips[-1].uids == clips[len(clips) - 1].uids
    with pytest.raises(IndexError, match=f"no clip {len(clips)} among {len(clips)}"):
        clips[len(clips)]
    batches = list(DataLoader(clips, batch_size=5, collate_fn=egonorm.collate))
    assert [uid for batch in batches for uid in batch.uids] == [clip.uid for clip in clips.manifest.clips]
    assert {batch.domain for batch in batches} <= {"D1", "D1+D3", "D3"}
    assert torch.equal(batches[0].inputs["audio"][3:4], one.inputs["audio"])


def test_windows_are_those_of_an_epoch_in_training_and_even_in_testing(data):
    clips = data.clips("train", ["D1"], preset="demo", modalities="rgb")
    first = clips[0].inputs["rgb"]
    assert torch.equal(first, clips[0].inputs["rgb"])
    clips.set_epoch(1)
    assert not torch.equal(first, clips[0].inputs["rgb"])
    tests = data.clips("test", ["D2"], preset="demo", modalities="rgb", num_windows=3)
    assert tests[0].inputs["rgb"].shape[0] == len(tests[0].uids) == 3


def test_collate_of_clips_without_labels_has_none(data):
    batch = data.clips("test", ["D2"], preset="demo", modalities="audio")[0]
    assert egonorm.collate([batch, batch.unlabelled()]).labels is None


def test_a_network_gives_features_and_logits_and_the_same_for_the_same_seed(data):
    batch = data.clips("train", ["D1"], preset="demo")[0]
    net = egonorm.build_net("demo", classes=data.classes).eval()
    view = net(batch.inputs)
    assert view.logits.shape == (1, len(data.classes))
    torch.testing.assert_close(sum(view.single_logits.values()), view.logits)
    assert torch.equal(egonorm.build_net("demo", classes=len(data.classes)).eval()(batch.inputs).logits, view.logits)
    assert not torch.equal(
        egonorm.build_net("demo", classes=data.classes, seed=1).eval()(batch.inputs).logits, view.logits
    )
    with pytest.raises(DataError, match=r"no clips of split 'train' in D9(.|\n)*domains among D1, D2, D3"):
        egonorm.build_net("demo", classes=2, data=data, sources="D9")
    with pytest.raises(EgonormError, match=r"preset(.|\n)*nonsense(.|\n)*demo, small, paper"):
        egonorm.build_net("nonsense", classes=2)


def test_a_trained_run_is_loaded_as_it_was_judged(data, folder):
    model = egonorm.load(folder)
    assert model.modalities == ("rgb", "audio") and model.classes == data.classes and model.step == 2
    assert str(model.setting) == "dg1:D1:D2" and not model.training
    batch = data.clips("test", ["D2"], preset=model, num_windows=5)[0]
    view = model(batch.inputs)
    assert torch.equal(view.features["rgb"], model.features(batch.inputs)["rgb"])
    with pytest.raises(RunError, match="has no network of step 1"):
        egonorm.load(folder, step=1)


def test_a_second_call_finds_the_run_and_the_frame_holds_the_table(data, kitchens, folder, capsys):
    assert egonorm.train(f"kitchens:{kitchens}", "dg1:D1:D2", "rna", out=folder.parent, **QUICK) == folder
    frame = egonorm.table(folder.parent)
    assert list(frame["method"]) == ["rna", "rna"] and set(frame["tested on"]) == {"D1", "D2"}
    again = egonorm.evaluate(folder, "D3", device="cpu")
    assert set(again["tested on"]) == {"D1", "D2", "D3"} and again["top-1 fused"].between(0, 100).all()


def test_folders_that_cannot_be_loaded(tmp_path):
    with pytest.raises(RunError, match=r"is not the folder of a run(.|\n)*config\.json"):
        egonorm.load(tmp_path)
    unfinished = store(tmp_path, plain_run(), {"D2": [[True, False]]}, complete=False)
    with pytest.raises(RunError, match=r"is not finished(.|\n)*egonorm train --resume"):
        egonorm.load(unfinished)
    finished = store(tmp_path / "b", plain_run(), {"D2": [[True, False]]})
    with pytest.raises(RunError, match=r"has no network of step(.|\n)*remedy:"):
        egonorm.load(finished)
    path = network_of(finished / "checkpoints", plain_run().optim.steps)
    about = json.dumps({"step": 240, "classes": ["a", "b"], "clips": "none"})
    write_atomically(path, safetensors.torch.save({}, {METADATA: about}))
    text = to_json(plain_run()).replace('"i3d"', '"resnet9"')
    finished = finished.rename(tmp_path / "b" / "renamed")
    write_atomically(finished / "config.json", text.encode())
    with pytest.raises(EgonormError, match=r"resnet9(.|\n)*i3d"):
        egonorm.load(finished)


def test_clips_that_are_not_there(data):
    for split, domains in (("val", None), ("train", ["D9"]), ("nonsense", ["D1"]), ("test", [])):
        with pytest.raises(DataError, match=r"no clips of split(.|\n)*D1, D2, D3"):
            data.clips(split, domains, preset="demo")


def test_numbers_that_make_no_sense_are_told(data):
    for number in (0, -1):
        with pytest.raises(ValueError, match=r"num_windows(.|\n)*1 or more(.|\n)*remedy:"):
            data.clips("test", "D1", preset="demo", num_windows=number)
    for classes in (0, [], "cut"):
        with pytest.raises(ValueError, match=r"classes cannot(.|\n)*1 or more(.|\n)*data\.classes"):
            egonorm.build_net("demo", classes=classes)


WRONG = """
import torch
import egonorm
good = torch.randn(4, 3)
align = egonorm.losses.relative_norm_alignment
for features in ([good, good], {"rgb": good, "audio": good[0]}, {"rgb": good, "audio": torch.ones(4, 3, dtype=torch.long)},
                 {"rgb": good, "audio": None}, {"rgb": good, "audio": good[:2]}, {"rgb": good}, {}):
    try:
        align(features)
    except ValueError as error:
        print(" ".join(str(error).split()))
try:
    align({"rgb": good, "audio": good}, numerator="third")
except ValueError as error:
    print(" ".join(str(error).split()))
try:
    egonorm.losses.cosine_distance({"rgb": good, "audio": good[:, :2]})
except ValueError as error:
    print(" ".join(str(error).split()))
"""


def test_arguments_of_another_type_are_told_and_nothing_is_written(data, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net = egonorm.build_net("demo", classes=2, modalities=["audio"])
    assert list(net.encoders) == ["audio"] and list(data.clips(preset="demo", modalities=["rgb"])[0].inputs) == ["rgb"]
    clips = [data.clips(preset="demo", modalities=name)[0] for name in ("rgb", "audio")]
    for call, what, expected in (
        (lambda: egonorm.open_data(tmp_path), "source", "str"),
        (lambda: egonorm.train(None, "dg1:D1:D2", "rna"), "data", "str"),
        (lambda: egonorm.train("folder:x", None, "rna"), "setting", "str or Setting"),
        (lambda: egonorm.train("folder:x", "dg1:D1:D2", egonorm.methods.Rna), "method", "str or Method"),
        (lambda: egonorm.train("folder:x", "dg1:D1:D2", "rna", out=3), "out", "str or Path"),
        (lambda: egonorm.load(None), "folder", "str or Path"),
        (lambda: egonorm.load(folder, step="4"), "step", "int or None"),
        (lambda: egonorm.evaluate(folder, 2), "domain", "str or None"),
        (lambda: egonorm.table(folder, select=3), "select", "str"),
        (lambda: egonorm.collate([]), "The clips", "one clip or more, all with the same modalities"),
        (lambda: egonorm.collate(clips), "The clips", "one clip or more, all with the same modalities"),
        (lambda: net({"rgb": clips[0].inputs["rgb"]}), "The network has no input of audio", "audio"),
    ):
        with pytest.raises(ArgumentError) as caught:
            call()
        assert caught.value.what.startswith(what) and caught.value.expected == expected and caught.value.remedy
    assert not list(tmp_path.iterdir())


def test_wrong_arguments_of_a_loss_are_told():
    lines = program(
        dict(os.environ), "-c", WRONG
    ).splitlines()  # a program of its own, in which no hook checks types before
    wanted = (
        "got: list expected: a mapping from modality to a tensor",
        "got: audio: shape (3,) of float32 expected: a mapping",
        "got: audio: shape (4, 3) of int64",
        "got: audio: NoneType",
        "got: clips: rgb: 4, audio: 2 expected: the same number of clips",
        "got: rgb expected: two modalities or more remedy: Add a modality",
        "got: none expected: two modalities or more",
        "numerator cannot be used. got: third expected: second or first",
        "got: numbers a feature: rgb: 3, audio: 2",
    )
    assert len(lines) == len(wanted) and all(text in line for text, line in zip(wanted, lines, strict=True)), lines
