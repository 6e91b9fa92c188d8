"""Extraction: the features are what judging computes, the same bytes whoever computes them and however often it is stopped."""

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from egonorm.cli import main
from egonorm.core import DataError, RunError, Setting, SettingError, WeightsError
from egonorm.core.shard import Shard
from egonorm.data.dataset import Clips
from egonorm.data.loader import evaluation_batches
from egonorm.data.manifest import Manifest
from egonorm.data.sets import open_clip_set
from egonorm.data.sets.synthetic import KitchensConfig, render_kitchens
from egonorm.data.transforms import FeatureInput
from egonorm.features import encoders
from egonorm.features import extract as extract_module
from egonorm.features.encoders import Encoders, StreamEncoder, find_encoders
from egonorm.features.extract import Extraction, extract
from egonorm.features.shards import Parts, claim_store
from egonorm.methods.ada_bn import AdaBn
from egonorm.nets.encoders import Encoder
from egonorm.nets.layers import fuse_bn
from egonorm.nets.net import Net
from egonorm.runs.config import Run, load_trained, read_run
from egonorm.runs.presets import demo
from egonorm.runs.run import Options, RunContext, execute
from egonorm.training.engine import Evaluation, judge
from egonorm.training.runtime import start_runtime
from small_runs import small_run

pytestmark = pytest.mark.slow

WORKER = str(Path(__file__).with_name("extract_worker.py"))
HERE = ("--device", "cpu", "--workers", "0")


def train(kitchens, out: Path, *modalities: str) -> Path:
    """A run of two steps."""
    parts = demo()
    net, few = parts.choose(modalities).widen(0.0625), replace(parts.evaluation, num_windows=2)
    setting, optim = Setting.parse("dg1:D1:D2"), replace(parts.optim, steps=2, batch=4)
    run = Run(f"kitchens:{kitchens}", setting, net, optim=optim, evaluation=few)
    with start_runtime("cpu") as runtime:
        execute(RunContext(run, out / run.name, runtime, Options()))
    return out / run.name


@pytest.fixture(scope="module")
def trained(kitchens, tmp_path_factory) -> Path:
    """A run on pictures and sound."""
    return train(kitchens, tmp_path_factory.mktemp("runs"), "rgb", "audio")


@pytest.fixture(scope="module")
def heard(kitchens, tmp_path_factory) -> Path:
    """A run on sound alone, whose features are extracted in no time."""
    return train(kitchens, tmp_path_factory.mktemp("runs"), "audio")


@pytest.fixture(scope="module")
def both(kitchens, trained, tmp_path_factory) -> Path:
    """The features of pictures and sound, two windows a clip."""
    root = tmp_path_factory.mktemp("features") / "both"
    main(words(trained, kitchens, root, "--windows", "2"))
    return root


@pytest.fixture(scope="module")
def store(kitchens, heard, tmp_path_factory) -> Path:
    """The features of sound, extracted by one call in nine parts of 8 clips."""
    root = tmp_path_factory.mktemp("features") / "store"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extract_module, "CLIPS", 8)
        main(words(heard, kitchens, root))
    return root


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(extract_module, "CLIPS", 8)


def words(source, kitchens, out, *more) -> list[str]:
    usual = ("--windows", "1", "--batch", "4", *HERE)
    return ["extract", str(source), "--data", f"kitchens:{kitchens}", "--out", str(out), *usual, *more]


def content(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file() and p.name != ".lock"}


def test_what_lies_in_a_store(both, trained, kitchens):
    assert set(content(both)) == {"features.json", "manifest.csv", "rgb.safetensors", "audio.safetensors"}
    about = json.loads((both / "features.json").read_text())
    assert list(about["modalities"]) == ["rgb", "audio"] and about["num_windows"] == 2
    assert about["modalities"]["rgb"]["encoder"] == "i3d, width 0.0625"
    assert about["modalities"]["rgb"]["source"] == f"{trained.name}, step 2"
    assert about["data"] == f"kitchens:{kitchens}"
    data, videos = open_clip_set(f"features:{both}"), open_clip_set(f"kitchens:{kitchens}")
    told = lambda manifest: [(c.uid, c.label, c.domain, c.split) for c in manifest.clips]  # noqa: E731
    assert told(data.manifest) == told(videos.manifest) and data.manifest.classes == videos.manifest.classes


def test_features_are_what_the_network_makes_of_the_windows_of_testing(both, trained, kitchens):
    run, data = read_run(trained), open_clip_set(f"features:{both}")
    with start_runtime("cpu") as runtime:
        trial = RunContext(run, trained, runtime, Options())
        net, _ = load_trained(trained, run, 2)
        videos = open_clip_set(run.data)
        tests = trial.clips(videos.manifest.select(["D2"], "test"), trial.readers(videos))
        stored = stored_clips(data, data.manifest.select(["D2"], "test"))
        pairs = zip(*(evaluation_batches(x, 2, 10, 0, runtime.device) for x in (tests, stored)), strict=True)
        for (seen,), (kept,) in pairs:
            assert seen.uids == kept.uids and torch.equal(seen.labels, kept.labels)
            with torch.inference_mode():
                found = fuse_bn(net).features(seen.inputs)
            for name, x in found.items():
                torch.testing.assert_close(kept.inputs[name], x, rtol=1e-5, atol=1e-6)


def stored_clips(data, manifest) -> Clips:
    inputs = {name: FeatureInput(size) for name, size in data.stored.sizes.items()}
    return Clips(manifest, {m: data.reader(m, x) for m, x in inputs.items()}, inputs, data.stored.span)


class Same(nn.Identity):
    """An encoder of what is encoded."""

    memory_format = torch.contiguous_format

    def __init__(self, num_features: int):
        super().__init__()
        self.num_features = num_features


def test_the_run_is_judged_alike_on_videos_and_on_its_features(both, trained):
    data = open_clip_set(f"features:{both}")
    with start_runtime("cpu") as runtime:
        trial = RunContext(read_run(trained), trained, runtime, Options())
        whole, _ = load_trained(trained, trial.run, 2)
        net = Net({m: Same(size) for m, size in data.stored.sizes.items()}, 8)
        net.fusion.load_state_dict(whole.fusion.state_dict())
        clips = stored_clips(data, data.manifest.select(["D2"], "test"))
        found = judge(
            {2: net}, evaluation_batches(clips, 2, 20, 0, runtime.device), Evaluation(num_windows=2), runtime
        )[2]
    with np.load(trained / "predictions" / "000002-D2.npz") as judged:
        assert found.uids == tuple(judged["uids"])
        for name, scores in found.scores.items():
            np.testing.assert_allclose(scores, judged[f"scores/{name}"], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_shards_fill_one_folder_with_the_same_bytes(store, heard, kitchens, tmp_path, capsys, workers):
    out = tmp_path / "shards"
    main(words(heard, kitchens, out, "--shard", "2/2", "--workers", workers))
    assert "the last of the other shards completes" in capsys.readouterr().out and not (out / "features.json").exists()
    assert len(list((out / "parts").glob("*.safetensors"))) == 4
    with pytest.raises(DataError, match="is not complete"):
        open_clip_set(f"features:{out}")
    main(words(heard, kitchens, out, "--shard", "1/2", "--workers", workers))
    assert f"egonorm train --data features:{out} --preset features" in capsys.readouterr().out
    assert content(out) == content(store)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "how", "left"),
    [("000003.safetensors", "half", 3), ("audio.safetensors", "half", 9), ("features.json", "whole", 9)],
)
def test_killed_and_called_again_it_ends_with_the_same_bytes(store, heard, kitchens, tmp_path, moment, how, left):
    """While a part is written, while the parts are joined, and when all is there but the description."""
    out = tmp_path / "killed"
    command = [sys.executable, WORKER, moment, how, *words(heard, kitchens, out)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == -signal.SIGKILL
    parts = sorted((out / "parts").glob("[0-9]*.safetensors"))
    assert len(parts) == left and not (out / "features.json").exists()
    times = [path.stat().st_mtime_ns for path in parts]
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Parts, "remove", lambda self: seen.extend(p.stat().st_mtime_ns for p in parts))
        main(words(heard, kitchens, out))
    assert seen == times
    main(words(heard, kitchens, out))
    assert content(out) == content(store)


@pytest.mark.slow
def test_processes_of_torchrun_share_the_work(store, heard, kitchens, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run([*command, WORKER, "none", "half", *words(heard, kitchens, out)], check=True, capture_output=True)
    assert content(out) == content(store)


def test_a_finished_store_is_left_as_it_is(store, heard, kitchens, capsys):
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    main(words(heard, kitchens, store, "--shard", "2/3"))
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == before
    assert str(store) in capsys.readouterr().out


def test_a_folder_of_other_features_or_of_something_else_is_refused(store, heard, kitchens, tmp_path, monkeypatch):
    before = content(store)
    with pytest.raises(SystemExit, match=r"belongs to other features(.|\n)*num_windows 1(.|\n)*num_windows 2"):
        main(words(heard, kitchens, store, "--windows", "2"))
    assert content(store) == before
    out = tmp_path / "begun"
    main(words(heard, kitchens, out, "--shard", "1/9"))
    before = content(out)
    with pytest.raises(SystemExit, match=r"belongs to other features(.|\n)*batch 4(.|\n)*batch 5"):
        main(words(heard, kitchens, out, "--batch", "5"))
    assert content(out) == before
    monkeypatch.setattr(extract_module, "CLIPS", 16)
    with pytest.raises(SystemExit, match="clips_a_part 16"):
        main(words(heard, kitchens, out))
    assert content(out) == before
    thesis = tmp_path / "mine"
    thesis.mkdir()
    (thesis / "thesis.txt").write_text("precious")
    with pytest.raises(SystemExit, match="holds something that is no store"):
        main(words(heard, kitchens, thesis))
    assert [path.name for path in thesis.iterdir()] == ["thesis.txt"]


def test_two_processes_at_one_shard_are_refused(heard, kitchens, tmp_path):
    out = tmp_path / "out"
    with start_runtime("cpu") as runtime:
        job = Extraction(f"kitchens:{kitchens}", out, find_encoders([str(heard)], [], "demo", runtime), runtime, 1, 4)
        identity = job.identity(open_clip_set(job.data).manifest) | {"clips_a_part": 8}
        with claim_store(out, identity, Shard(1, 2)):
            with pytest.raises(SystemExit, match=r"filled by another process(.|\n)*--shard 1/2"):
                main(words(heard, kitchens, out, "--shard", "1/2"))
            main(words(heard, kitchens, out, "--shard", "2/2"))
    assert extract(replace(job, shard=Shard(1, 2))) is not None


def test_a_damaged_part_is_named(heard, kitchens, tmp_path):
    out = tmp_path / "out"
    main(words(heard, kitchens, out, "--shard", "1/2"))
    (out / "parts" / "000002.safetensors").write_bytes(b"damaged")
    with pytest.raises(SystemExit, match=r"000002.safetensors is damaged(.|\n)*Remove it"):
        main(words(heard, kitchens, out, "--shard", "2/2"))
    (out / "parts" / "000002.safetensors").unlink()
    main(words(heard, kitchens, out))
    assert (out / "features.json").exists()


def test_broken_media_are_refused_or_left_out(store, heard, kitchens, tmp_path, capsys):
    root, out = tmp_path / "kitchens", tmp_path / "out"
    shutil.copytree(kitchens, root)
    (root / "D2" / "D2_train_00.mp4").unlink()
    with pytest.raises(SystemExit, match=r"D2_train_00.mp4(.|\n)*--skip-broken"):
        main(words(heard, root, out))
    assert not out.exists()
    main(words(heard, root, out, "--skip-broken"))
    assert "Left out" in capsys.readouterr().out
    lost = {uid for entry in json.loads((out / "left_out.json").read_text()) for uid in entry["clips"]}
    kept = [clip.uid for clip in open_clip_set(f"features:{out}").manifest.clips]
    usual = [clip.uid for clip in open_clip_set(f"features:{store}").manifest.clips]
    assert lost and kept == [uid for uid in usual if uid not in lost]
    before = content(out)
    main(words(heard, root, out, "--skip-broken"))
    assert content(out) == before
    for path in root.rglob("*.mp4"):
        path.unlink()
    with pytest.raises(SystemExit, match="has no usable clips"):
        main(words(heard, root, tmp_path / "none", "--skip-broken"))


def save(encoder: nn.Module, path: Path) -> Path:
    torch.save(encoder.state_dict(), path)
    return path


def test_published_weights_and_encoders(kitchens, tmp_path, monkeypatch):
    """A file for the preset's encoder of one modality, and a published encoder of another."""
    torch.manual_seed(3)
    rgb = Encoder("i3d", in_channels=3, width=0.25).build()
    place = save(rgb, tmp_path / "rgb.pt")
    narrow = replace(demo().net.streams["audio"], encoder=Encoder("bn-inception", in_channels=1, width=0.0625))
    asked = []
    monkeypatch.setattr(encoders, "published_stream", lambda name, span: asked.append((name, span)) or narrow)
    with start_runtime("cpu") as runtime:
        found = find_encoders([f"rgb={place}"], ["audio=narrow"], "demo", runtime)
    assert asked == [("narrow", demo().net.span)] and list(found.streams) == ["rgb", "audio"]
    assert encoders.fingerprint(found.streams["rgb"].encoder) == encoders.fingerprint(rgb)
    assert found.streams["rgb"].source == str(place) and found.streams["audio"].network == "bn-inception, width 0.0625"
    with start_runtime("cpu") as runtime:
        audio = save(narrow.encoder.build(), tmp_path / "audio.pt")
        found = find_encoders([f"audio={audio}", f"rgb={place}"], ["audio=narrow"], "demo", runtime)
    assert list(found.streams) == ["audio", "rgb"] and found.streams["audio"].source == str(audio)
    options = f"--encoder audio=narrow --preset demo --data kitchens:{kitchens} --out {tmp_path / 'out'} --windows 1"
    main(["extract", f"audio={audio}", *options.split(), *HERE])
    assert list(open_clip_set(f"features:{tmp_path / 'out'}").stored.sizes) == ["audio"]


def test_a_neck_is_part_of_the_features(heard, kitchens, tmp_path):
    with start_runtime("cpu") as runtime:
        parts = find_encoders([str(heard)], [], "demo", runtime).streams
        neck = nn.Linear(parts["audio"].encoder.num_features, 3)
        with_neck = Encoders({"audio": replace(parts["audio"], neck=neck)})
        job = Extraction(f"kitchens:{kitchens}", tmp_path / "out", with_neck, runtime, num_windows=1)
        assert with_neck.streams["audio"].identity() != parts["audio"].identity()
        assert extract(job).modalities["audio"].size == 3


def test_sources_that_make_no_sense(trained, tmp_path, monkeypatch):
    place = save(Encoder("i3d", in_channels=3, width=0.5).build(), tmp_path / "rgb.pt")

    def refused(error, text, sources, encoders=(), preset="demo"):
        with start_runtime("cpu") as runtime, pytest.raises(error, match=text):
            find_encoders([str(source) for source in sources], list(encoders), preset, runtime)

    refused(RunError, r"Nothing was named(.|\n)*MODALITY=PATH_OR_URL", [])
    refused(RunError, "is not the folder of a run", [tmp_path])
    refused(RunError, r"SOURCE cannot be read(.|\n)*got:      rgb=", ["rgb="])
    refused(RunError, r"--encoder cannot be read(.|\n)*lite0", [trained], ["rgb"])
    refused(
        SettingError,
        r"more than once(.|\n)*got:      rgb, audio, rgb(.|\n)*expected: rgb once",
        [trained, f"rgb={place}"],
        preset="small",
    )
    refused(SettingError, "more than once", [], ["rgb=lite0", "rgb=lite0"])
    refused(SettingError, "weights for smell", [f"smell={place}"])
    refused(WeightsError, "of another shape", [f"rgb={place}"])
    refused(WeightsError, "There is no published network 'nothing'", [], ["rgb=nothing"])
    sound = save(Encoder("bn-inception", in_channels=1, width=0.5).build(), tmp_path / "audio.pt")
    alone = tmp_path / "alone"
    shutil.copytree(trained, alone)
    only_rgb = json.loads((alone / "config.json").read_text())
    del only_rgb["net"]["streams"]["audio"]
    (alone / "config.json").write_text(json.dumps(only_rgb))
    shutil.rmtree(alone / "checkpoints")
    refused(RunError, "has no checkpoints any more", [alone])
    only = Encoders({"rgb": find(trained)["rgb"]}).streams["rgb"]
    monkeypatch.setattr(encoders, "_of_run", lambda folder, runtime: [("rgb", only)])
    refused(
        RunError,
        r"windows of several lengths(.|\n)*num_frames=8(.|\n)*num_frames=16",
        [alone, f"audio={sound}"],
        preset="small",
    )


def find(trained) -> dict[str, StreamEncoder]:
    with start_runtime("cpu") as runtime:
        return find_encoders([str(trained)], [], "demo", runtime).streams


def test_features_that_are_not_finite_stop_it(heard, kitchens, tmp_path):
    parts = find(heard)
    neck = nn.Linear(parts["audio"].encoder.num_features, 3)
    nn.init.constant_(neck.bias, float("nan"))
    with start_runtime("cpu") as runtime:
        job = Extraction(
            f"kitchens:{kitchens}", tmp_path / "out", Encoders({"audio": replace(parts["audio"], neck=neck)}), runtime
        )
        with pytest.raises(RunError, match=r"encoder of audio gives numbers that are not finite(.|\n)*clips D1_"):
            extract(job)
    assert not (tmp_path / "out" / "features.json").exists()


def test_features_of_features_are_refused(both, trained, tmp_path):
    with pytest.raises(SystemExit, match="does not hold what the network's stream rgb is fed"):
        main(["extract", str(trained), "--data", f"features:{both}", "--out", str(tmp_path / "out"), *HERE])
    options = f"--data features:{both} --preset features --steps 2 --batch 4 --width 0.01 --setting dg1:D1:D2".split()
    main(["train", *options, *HERE, "--out", str(tmp_path / "runs"), "source-only"])
    (run,) = (tmp_path / "runs").iterdir()
    with pytest.raises(SystemExit, match=r"computes no features of media(.|\n)*a run on stored features of rgb, audio"):
        main(["extract", str(run), "--data", f"features:{both}", "--out", str(tmp_path / "out"), *HERE])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["0/2", "3/2", "1/0", "2", "a/b", "-1/2"])
def test_shards_that_make_no_sense(text):
    with pytest.raises(RunError, match="--shard cannot be"):
        Shard.parse(text)


@pytest.mark.parametrize(("name", "value"), [("--windows", "0"), ("--batch", "0")])
def test_numbers_out_of_range(heard, kitchens, tmp_path, name, value):
    with pytest.raises(SystemExit, match=f"{name} cannot be used"):
        main(words(heard, kitchens, tmp_path / "out", name, value))


def test_shards_and_processes_share_all_parts_once(tmp_path):
    parts = Parts(tmp_path, 100, 8)
    shares = [parts.missing(Shard(number, 3).split(rank, 2)) for number in (1, 2, 3) for rank in (0, 1)]
    assert sorted(k for share in shares for k in share) == list(range(13)) == list(range(len(parts)))
    assert sum(len(parts.clips(k)) for k in range(13)) == 100


def test_an_encoder_is_for_its_modality(tmp_path, monkeypatch):
    frames = demo().net.streams["rgb"]
    monkeypatch.setattr(encoders, "published_stream", lambda name, span: frames)
    for modality in ("audio", "flow"):
        with start_runtime("cpu") as runtime, pytest.raises(SettingError, match=rf"i3d is no encoder of {modality}"):
            find_encoders([], [f"{modality}=lite0"], "demo", runtime)


def test_what_an_encoder_has_learnt_is_known_in_a_copy_of_the_data_whatever_else_it_was_shown(kitchens, tmp_path):
    """The run was shown D2 without labels: its copy, where D2's are others, is the same data to it; D1's labels are not."""
    run = small_run(kitchens)
    run = replace(run, setting=Setting.parse("uda:D1:D2"), method=AdaBn(), net=run.net.choose(["audio"]))
    with start_runtime("cpu") as runtime:
        execute(RunContext(run, tmp_path / run.name, runtime, Options()))
        (stream,) = find_encoders([str(tmp_path / run.name)], [], "demo", runtime).streams.values()
    manifest = open_clip_set(f"kitchens:{kitchens}").manifest
    turned = dict(zip(manifest.classes, manifest.classes[1:] + manifest.classes[:1], strict=True))

    def others_in(domain):
        clips = [replace(c, label=turned[c.label]) if c.domain == domain else c for c in manifest.clips]
        return Manifest(tuple(clips), manifest.classes)

    learnt = [stream.trained_on.learnt_in("kitchens:elsewhere", others_in(domain)) for domain in ("", "D2", "D1")]
    assert learnt == [("D1",), ("D1",), ()]


def test_features_are_not_judged_on_domains_that_their_encoder_has_learnt(heard, kitchens, tmp_path):
    out = tmp_path / "out"
    main(["extract", str(heard), "--data", f"kitchens:{kitchens}", "--out", str(out), "--windows", "1", *HERE])
    assert open_clip_set(f"features:{out}").stored.learnt == {"audio": ("D1",)}
    options = f"--data features:{out} --preset features --steps 2 --batch 4 --width 0.01 --workers 0".split()
    options += ["--device", "cpu", "--out", str(tmp_path / "runs")]
    with pytest.raises(SystemExit, match=r"cannot be judged on D1 as if it were unseen(.|\n)*labels of D1"):
        main(["train", *options, "--setting", "dg1:D2:D1", "source-only"])
    for setting in ("dg1:D1:D2", "supervised:D1:D1"):
        main(["train", *options, "--setting", setting, "source-only"])
    elsewhere = tmp_path / "others"
    render_kitchens(elsewhere, KitchensConfig(clips=24, kitchens=2, seed=2, size=(72, 96)))
    main(
        [
            "extract",
            str(heard),
            "--data",
            f"kitchens:{elsewhere}",
            "--out",
            str(tmp_path / "b"),
            "--windows",
            "1",
            *HERE,
        ]
    )
    assert open_clip_set(f"features:{tmp_path / 'b'}").stored.learnt == {"audio": ()}
