"""Training on features by the usual commands: what the data decide, any number of modalities, the same bytes, refusals."""

import re
from pathlib import Path

import numpy as np
import pytest
import stores

from egonorm.cli import main
from egonorm.core import DataError, RunError, SettingError
from egonorm.data.sets import open_features
from egonorm.data.transforms import FeatureInput
from egonorm.methods import Rna, SourceOnly
from egonorm.nets.encoders import Encoder
from egonorm.runs.config import from_json, read_run, to_json
from egonorm.runs.presets import PRESETS, configure, preset_on
from egonorm.runs.results import STOPPED, is_complete, last, read_records, read_rows

QUICK = ("--steps", "4", "--batch", "4", "--width", "0.01", "--device", "cpu")


@pytest.fixture
def root(tmp_path) -> Path:
    stores.write_store(tmp_path / "features", ("flow", "rgb", "audio"))
    return tmp_path / "features"


def train(root, out, *words, workers="0") -> Path:
    data = ["--data", f"features:{root}", "--preset", "features", "--setting", "dg1:D1:D2", "--out", str(out)]
    main(["train", *data, *QUICK, "--workers", workers, *words])
    return max(out.iterdir(), key=lambda path: path.stat().st_mtime_ns)


def test_the_data_decide_streams_span_and_windows(root):
    run = configure(f"features:{root}", "dg1:D1:D2", Rna(), "features")
    assert list(run.net.streams) == ["flow", "rgb", "audio"]
    for size, stream in zip((12, 13, 14), run.net.streams.values(), strict=True):
        assert stream.input == FeatureInput(size, scaling="columns")
        assert stream.encoder == Encoder("projection", size, 0.25)
    assert run.net.span == stores.SPAN and run.evaluation.num_windows == 3
    usual = PRESETS["features"]()
    assert run.optim == usual.optim and (run.evaluation.every, run.evaluation.keep) == (25, 9)
    assert run.net.fusion == "sum" and run.net.dropout == usual.net.dropout
    assert from_json(to_json(run)) == run


@pytest.mark.parametrize(("preset", "width"), [("paper", 1.0), ("small", 0.5), ("demo", 0.25)])
def test_any_preset_trains_on_features(root, preset, width):
    run = configure(f"features:{root}", "dg1:D1:D2", SourceOnly(), preset)
    assert {stream.encoder.width for stream in run.net.streams.values()} == {width}
    assert run.optim == PRESETS[preset]().optim and run.evaluation.num_windows == 3


def test_modalities_and_width_are_chosen_and_weights_refused(root):
    data, setting, method = f"features:{root}", "dg1:D1:D2", SourceOnly()
    run = configure(data, setting, method, "features", modalities="audio,flow", width=0.5, fusion="concat", steps=7)
    assert [(name, stream.encoder) for name, stream in run.net.streams.items()] == [
        ("audio", Encoder("projection", 14, 0.5)),
        ("flow", Encoder("projection", 12, 0.5)),
    ]
    assert run.net.fusion == "concat" and run.optim.steps == 7
    options = {"width": 0.5, "fusion": "concat", "steps": 7}
    assert run == configure(data, setting, method, "features", modalities=["audio", "flow"], **options)
    with pytest.raises(SettingError, match="each once, of flow, rgb, audio"):
        configure(data, setting, method, "features", modalities="rgb,imu")
    with pytest.raises(SettingError, match=r"weights are of no use on features(.|\n)*egonorm extract"):
        configure(data, setting, method, "features", weights=["rgb=x.pt"])


def test_the_preset_of_features_is_refused_on_media(tmp_path):
    with pytest.raises(SettingError, match=r"preset features cannot be used on media(.|\n)*egonorm extract"):
        configure(f"folder:{tmp_path}", "dg1:D1:D2", SourceOnly(), "features")
    assert preset_on(f"folder:{tmp_path}", "small") == PRESETS["small"]()


def test_the_flow_of_a_preset_is_not_that_of_a_store_without_it(tmp_path):
    stores.write_store(tmp_path)
    with pytest.raises(SettingError, match="each once, of rgb, audio"):
        configure(f"features:{tmp_path}", "dg1:D1:D2", SourceOnly(), "small", modalities="rgb,flow")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("modalities", "method"),
    [
        ("audio", "source-only"),
        ("rgb,audio", "source-only"),
        ("rgb,audio", "rna"),
        ("flow,rgb,audio", "source-only"),
        ("flow,rgb,audio", "rna"),
    ],
)
def test_one_two_and_three_modalities_and_the_same_bytes_whoever_reads(root, tmp_path, modalities, method):
    folders = [
        train(root, tmp_path / out, "--modalities", modalities, method, workers=workers)
        for out, workers in (("one", "0"), ("two", "2"))
    ]
    assert folders[0].name == folders[1].name and all(map(is_complete, folders))
    one, two = ((folder / "checkpoints" / "000004.safetensors").read_bytes() for folder in folders)
    assert one == two
    names = modalities.split(",")
    assert list(read_run(folders[0]).net.streams) == names
    rows = read_rows(folders[0])
    assert {row.metric for row in rows if row.metric.startswith("top1/")} == {f"top1/{name}" for name in names}
    assert {(row.domain, row.n) for row in rows if row.metric == "top1"} == {("D1", 8), ("D2", 8)}


def test_another_seed_gives_other_bytes(root, tmp_path):
    folders = [train(root, tmp_path / seed, "--seed", seed, "source-only") for seed in "01"]
    one, two = ((folder / "checkpoints" / "000004.safetensors").read_bytes() for folder in folders)
    assert one != two


@pytest.mark.slow
def test_a_layer_on_features_learns_what_they_tell(root, tmp_path):
    """The class is in the first four numbers of every feature; one of the last two is higher in D2 than it ever is in D1."""
    top1 = {}
    for words in ((), ("--no-standardise",)):
        folder = train(
            root, tmp_path / "".join(words), "--steps", "100", "--batch", "8", "--width", "0.1", *words, "source-only"
        )
        last = max(row.step for row in read_rows(folder))
        top1[words] = [row.value for row in read_rows(folder) if row.metric == "top1" and row.step == last]
    assert top1["--no-standardise",] == [100.0, 100.0] and top1[()][0] == 100.0


def lengths(stored, columns):
    """The mean norm of each modality's first three clips, as a network gets them."""
    own = {name: x[:3].reshape(6, -1) for name, x in stored.items()}
    if columns is None:
        return {name: np.linalg.norm(x, axis=1).mean() for name, x in own.items()}
    scaled = {name: (own[name] - one.mean.numpy()) * one.factor.numpy() for name, one in columns.items()}
    return {name: np.linalg.norm(x, axis=1).mean() for name, x in scaled.items()}


@pytest.mark.parametrize("scaling", ["columns", "length"])
@pytest.mark.parametrize("times", [3.0, 30.0])
def test_columns_and_lengths_are_those_of_the_clips_that_decide(tmp_path, scaling, times):
    """Within 4 : 1 the modalities' norms keep their proportion; beyond, they are those of standardised columns."""
    rng = np.random.default_rng(0)
    constant = np.ones((6, 2, 1))
    stored = {
        "rgb": times * rng.normal(size=(6, 2, 4)),
        "audio": np.concatenate([rng.normal(size=(6, 2, 2)), constant], axis=2),
    }
    stored["audio"][3:] *= 100  # these do not decide
    about = {"uid": list("abcdef"), "label": list("xyxyxy"), "domain": ["D1"] * 4 + ["D2"] * 2}
    about["split"] = ["train"] * 3 + ["test", "train", "test"]
    np.savez(tmp_path / "x.npz", **about, **{name: x.astype(np.float32) for name, x in stored.items()})
    data = open_features(f"features:{tmp_path / 'x.npz'}")
    found = data.scaled(data.manifest.select(["D1"], "train"), scaling)
    raw, new = lengths(stored, None), lengths(stored, found)
    assert max(new.values()) == pytest.approx(16.0, rel=1e-5) and (found["audio"].factor[2] == 0) == (
        scaling == "columns"
    )
    if scaling == "length" or times == 3.0:
        assert new["rgb"] / new["audio"] == pytest.approx(raw["rgb"] / raw["audio"], rel=1e-5)
    else:
        assert raw["rgb"] > 4 * raw["audio"] and new["rgb"] / new["audio"] == pytest.approx((4 / 2) ** 0.5, rel=0.2)
    if scaling == "columns":
        deviations = (stored["rgb"][:3].reshape(6, 4) * found["rgb"].factor.numpy()).std(axis=0)
        assert deviations == pytest.approx([deviations[0]] * 4, rel=1e-4)


def test_rna_needs_two_modalities_and_a_step_two_clips(root, tmp_path):
    with pytest.raises(SystemExit, match="rna cannot work"):
        train(root, tmp_path / "a", "--modalities", "rgb", "rna")
    with pytest.raises(SystemExit, match=r"batch of one(.|\n)*--batch"):
        train(root, tmp_path / "b", "--batch", "1", "batch-norm")


@pytest.mark.slow
def test_runs_are_not_tested_on_data_of_another_kind(root, run, tmp_path, kitchens):
    folder = train(root, tmp_path / "runs", "--modalities", "rgb,audio", "source-only")
    with pytest.raises(SystemExit, match=r"fed features, and the data are media(.|\n)*features of 13 numbers"):
        main(["test", str(folder), "--data", f"kitchens:{kitchens}", "--device", "cpu", "--workers", "0"])
    stores.write_store(tmp_path / "other")
    with pytest.raises(SystemExit, match=r"features of 12 numbers(.|\n)*expected: 13 numbers"):
        main(["test", str(folder), "--data", f"features:{tmp_path / 'other'}", "--device", "cpu", "--workers", "0"])


def test_data_check_says_what_is_stored(root, tmp_path, capsys):
    main(["data", "check", f"features:{root}"])
    text = capsys.readouterr().out
    assert "D1: clips: 8 train, 8 test" in text and "rgb: 32 x rgb.safetensors" in text
    assert "All media of 32 clips are there and whole (flow, rgb, audio)." in text
    main(["data", "check", f"features:{root}", "--modalities", "audio"])
    assert "whole (audio)." in capsys.readouterr().out
    table = {"uid": list("abcd"), "label": [1, 2] * 2, "domain": ["D1"] * 4, "split": ["train", "train", "test", "val"]}
    np.savez(tmp_path / "all.npz", **table, rgb=np.array([[1.0], [np.nan], [3.0], [np.nan]]))
    with pytest.raises(SystemExit, match=r"(?s)1 problem in 1 media|features of b are not all finite"):
        main(["data", "check", f"features:{tmp_path / 'all.npz'}"])
    text = capsys.readouterr().out
    assert "1 clips of the split val are left out" in text and "D1: usable clips: 1 train, 1 test" in text
    with pytest.raises(SystemExit, match=r"b \(rgb; clip b\): The features of b are not all finite"):
        main(["data", "check", f"features:{tmp_path / 'all.npz'}"])


def test_files_are_a_place_of_features_only(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"x")
    with pytest.raises(DataError, match=r"x.npz cannot be read"):
        configure(f"features:{tmp_path / 'x.npz'}", "dg1:D1:D2", SourceOnly(), "features")
    with pytest.raises(SystemExit, match=r"x.npz is not a folder(.|\n)*a file"):
        main(["data", "check", f"folder:{tmp_path / 'x.npz'}"])


def test_the_example_of_the_documentation(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).parents[2] / "docs" / "features.md").read_text()
    exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], {})
    folder = train(tmp_path / "mine.npz", tmp_path / "runs", "--setting", "dg1:home:office", "rna")
    run = read_run(folder)
    assert [stream.input.size for stream in run.net.streams.values()] == [64, 32] and run.evaluation.num_windows == 5
    with np.load(folder / "predictions" / "000004-office.npz") as stored:
        assert stored["classes"].tolist() == ["cut", "pour", "wash"]


@pytest.mark.slow
def test_a_training_that_diverges_is_named_by_tables_until_it_goes_on(root, tmp_path, capsys):
    out = tmp_path / "runs"
    good = train(root, out, "source-only")
    with pytest.raises(SystemExit, match="Step 2: the term class is not finite"):
        train(root, out, "--lr", "1e38", "source-only")
    (bad,) = set(out.iterdir()) - {good}
    capsys.readouterr()
    main(["table", str(out)])
    table = capsys.readouterr().out
    assert f"Leftout:Thetrainingin{bad}hasdiverged.Step2:" in "".join(table.split())  # a path is broken at any letter
    with pytest.raises(RunError, match=r"has diverged(.|\n)*smaller --lr"):
        read_records([bad], last)
    (bad / STOPPED).unlink()
    main(["table", str(out)])
    assert "Unfinished runs left out: 1." in " ".join(capsys.readouterr().out.split())
