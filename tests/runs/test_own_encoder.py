"""An encoder of a user's module: named on the command line, it is trained, resumed, tested, extracted and shown."""

import json
import shutil
import sys
from dataclasses import replace

import pytest
import torch

from egonorm import cli
from egonorm.aggregate.aggregate import describe_differences
from egonorm.core import EgonormError, SettingError
from egonorm.data.dataset import TrainKey
from egonorm.data.sets import open_clip_set
from egonorm.data.sets.features.store import read_description
from egonorm.export.save import Saver
from egonorm.methods import SourceOnly
from egonorm.nets import Encoder
from egonorm.runs.config import Stream, from_json, load_trained, read_run, to_json
from egonorm.runs.presets import configure
from egonorm.runs.results import is_complete, parse_selector, read_records
from egonorm.runs.run import Options, RunContext, execute
from egonorm.training.runtime import start_runtime
from own_parts import Colours, Every
from small_runs import small_run

pytestmark = pytest.mark.slow

SMALL = ["--preset", "demo", "--steps", 4, "--batch", 4, "--width", 0.0625]
HERE = ["--workers", 0, "--device", "cpu"]


def call(*words):
    cli.main([str(word) for word in words])


@pytest.fixture(scope="module")
def trained(kitchens, tmp_path_factory):
    """A folder with the module `lying_encoders`, which nobody has installed, and a run of its encoder in it."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "lying_encoders.py").write_text("from own_parts import Colours\n\n\nclass Mine(Colours):\n    pass\n")
    path = list(sys.path)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        chosen = ["--encoder", "rgb=lying_encoders:Mine:size=8:scale=0.5"]
        data = ["--data", f"kitchens:{kitchens}", "--setting", "dg1:D1:D2"]
        call("train", *data, *SMALL, *HERE, *chosen, "--out", folder / "runs", "source-only")
        (run,) = (folder / "runs").iterdir()
        yield run
    sys.path[:] = path


def test_it_is_stored_by_its_path_and_options(trained):
    stored = json.loads((trained / "config.json").read_text())["net"]["streams"]
    expected = {"name": "lying_encoders:Mine", "in_channels": 3, "width": 1.0, "weights": None, "sha256": None}
    assert stored["rgb"]["encoder"] == expected | {"options": {"size": 8, "scale": 0.5}}
    assert "options" not in stored["audio"]["encoder"] and stored["audio"]["encoder"]["width"] == 0.0625
    run = read_run(trained)
    assert from_json(to_json(run)) == run and run.name == trained.name


def test_it_is_loaded_as_it_was_trained(trained):
    net, _ = load_trained(trained, read_run(trained), 4)
    encoder = net.encoders["rgb"]
    assert type(encoder).__name__ == "Mine" and isinstance(encoder, Colours) and encoder.scale == 0.5
    first = Encoder("lying_encoders:Mine", 3, options={"size": 8, "scale": 0.5}).build()
    assert encoder.layer.weight.shape == first.layer.weight.shape == (8, 3)
    assert net.num_features["rgb"] == 8


def test_it_normalises_as_it_says(trained):
    net, _ = load_trained(trained, read_run(trained), 4)
    pictures = torch.full((1, 2, 4, 4, 3), 51, dtype=torch.uint8)
    layer = net.encoders["rgb"].layer
    colours = (0.2 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(net.encode("rgb", pictures), torch.relu(layer(0.5 * colours[None])))


def test_going_on_gives_the_same_weights(trained, tmp_path):
    again = tmp_path / trained.name
    shutil.copytree(trained, again)
    last = max((again / "checkpoints").glob("*.safetensors"))
    bytes_before = last.read_bytes()
    last.unlink()
    (again / "results.jsonl").unlink()
    call("train", "--resume", again, *HERE)
    assert last.read_bytes() == bytes_before


def test_it_is_tested_and_shown(trained, capsys):
    call("test", trained, "--domain", "D3", *HERE)
    call("table", trained.parent, "--select", "last")
    table = capsys.readouterr().out.splitlines()
    rows = [line for line in table if "source-only" in line]
    assert any("D2" in row for row in rows) and any("D3" in row for row in rows)


def test_a_sweep_finds_it_in_processes_of_its_own(trained, kitchens, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(trained.parent.parent)
    one = ["--methods", "source-only", "--setting", "dg1:D1:D2", "--seeds", "0", "--jobs", 1, *HERE]
    chosen = ["--encoder", "rgb=lying_encoders:Mine:size=8:scale=0.5", "--out", tmp_path]
    call("bench", "paper.table1", "--data", f"kitchens:{kitchens}", *SMALL, *chosen, *one)
    assert "1 were done now" in capsys.readouterr().out
    assert [folder.name for folder in tmp_path.iterdir() if folder.is_dir()] == [trained.name]


def test_its_clips_are_shown_without_activation_maps(trained):
    (record,), _ = read_records([trained], parse_selector("last"))
    saved = Saver(record).save("D2_test_00_0")
    assert saved.missing == "The encoder of rgb declares no maps." and set(saved.scores) == {"fused", "rgb", "audio"}


def test_its_features_are_extracted(trained, kitchens, tmp_path, capsys):
    data = ["--data", f"kitchens:{kitchens}", "--windows", 1, *HERE]
    call("extract", trained, *data, "--out", tmp_path / "of_run")
    about = read_description(tmp_path / "of_run").modalities["rgb"]
    assert (about.size, about.encoder) == (8, "lying_encoders:Mine, size 8, scale 0.5")
    chosen = ["--preset", "demo", "--encoder", "rgb=lying_encoders:Mine:size=6"]
    for _ in range(2):  # the second call finds what the first one made: equal weights, though nobody gave any
        call("extract", *chosen, *data, "--out", tmp_path / "of_class")
    assert read_description(tmp_path / "of_class").modalities["rgb"].size == 6


def test_the_width_reaches_those_that_have_one():
    chosen = ["rgb=own_parts:Sized", "audio=own_parts:Colours:size=4"]
    run = configure("folder:/x", "dg1:D1:D2", None, "demo", width=0.5, encoder=chosen)
    rgb, audio = (run.net.streams[name].encoder for name in ("rgb", "audio"))
    assert (rgb.width, audio.width) == (0.5, 1.0)
    assert (rgb.build().in_channels, rgb.build().num_features) == (3, 4)
    with pytest.raises(SettingError, match=r"own_parts:Colours has no option width.\n +got: +width=0.5"):
        Encoder("own_parts:Colours", 3, width=0.5, options={"size": 4}).build()


def test_an_input_of_ones_own_is_trained_on(kitchens, tmp_path):
    run = small_run(kitchens)
    stream = Stream(Every(run.net.span, pixel=3, short_side=30), Encoder("own_parts:Colours", 3, options={"size": 4}))
    run = replace(run, net=replace(run.net, streams=run.net.streams | {"rgb": stream}))
    with start_runtime("cpu") as runtime:
        context = RunContext(run, tmp_path / run.name, runtime, Options(quiet=True))
        execute(context)
    assert read_run(context.folder) == run and is_complete(context.folder)
    data = open_clip_set(run.data)
    shown = context.clips(data.manifest, context.readers(data))[TrainKey(0, 0)]
    assert shown.inputs["rgb"].shape == (1, 8, 10, 14, 3) and shown.inputs["rgb"].dtype == torch.uint8


def test_tables_tell_runs_of_other_encoders_apart():
    chosen = [[], ["rgb=own_parts:Colours:size=4"], ["rgb=own_parts:Colours:size=6"]]
    runs = [configure("folder:/x", "dg1:D1:D2", SourceOnly(), "demo", encoder=one) for one in chosen]
    found = describe_differences(runs)
    assert found == ["rgb by i3d, width 0.25", *(f"rgb by own_parts:Colours, size {size}" for size in (4, 6))]
    assert len({run.name for run in runs}) == 3


def test_options_of_our_own_encoders():
    run = configure("folder:/x", "dg1:D1:D2", None, "demo", encoder=["rgb=i3d:momentum=0.01:width=0.125"])
    encoder = run.net.streams["rgb"].encoder
    assert encoder == Encoder("i3d", 3, 0.125, options={"momentum": 0.01})
    assert encoder.build().Mixed_5c.b0.bn.momentum == 0.01
    assert str(encoder) == "i3d, width 0.125, momentum 0.01"


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (
            "rgb=gone.away:Net",
            r"gone.away:Net cannot be imported.\n +got: +ModuleNotFoundError: No module named 'gone'",
        ),
        ("rgb=own_parts:Gone", r"got: +the module own_parts without Gone"),
        ("rgb=own_parts:Every", r"own_parts:Every is no encoder.\n(.|\n)*a subclass of torch.nn.modules.module.Module"),
        (
            "rgb=own_parts:Colours:size=3:depth=2",
            r"has no option depth.\n +got: +depth=2\n +expected: size, activation, scale",
        ),
        ("rgb=own_parts:Colours:size=big", r"cannot use this size.\n +got: +'big'\n +expected: int"),
        ("rgb=own_parts:Colours", r"own_parts:Colours needs more options(.|\n)*Write own_parts:Colours:size=VALUE"),
        (
            "rgb=own_parts:Shapeless",
            r"does not say how long its feature is.\n +got: +no num_features(.|\n)*self.num_features",
        ),
        ("rgb=vgg", r"There is no encoder 'vgg'(.|\n)*expected: aisfx, bn-inception, (.|\n)*package.module:Class"),
        ("audio=i3d", r"i3d is no encoder of sound.\n +got: +sound\n +expected: pictures or flow"),
        ("smell=i3d", r"got: +encoder for smell\n +expected: rgb, audio\n +remedy: +Correct --encoder"),
        ("rgb", r"--encoder cannot be read.\n +got: +rgb\n +expected: MODALITY=NAME"),
    ],
)
def test_what_cannot_be_an_encoder_is_refused_and_nothing_written(tmp_path, chosen, message):
    words = ["train", "--data", "folder:/x", "--setting", "dg1:D1:D2", "--preset", "demo", "--out", tmp_path / "runs"]
    with pytest.raises(SystemExit) as caught:
        call(*words, "--encoder", chosen, "--device", "cpu", "source-only")
    with pytest.raises(EgonormError, match=message):
        configure("folder:/x", "dg1:D1:D2", None, "demo", encoder=[chosen])
    assert "remedy:" in str(caught.value) and not list(tmp_path.iterdir())


def test_an_encoder_is_named_once():
    with pytest.raises(SettingError, match=r"--encoder names a modality more than once.\n +got: +rgb, rgb"):
        configure("folder:/x", "dg1:D1:D2", None, "demo", encoder=["rgb=i3d", "rgb=lite0"])


def test_a_run_whose_encoder_is_not_here_is_refused_as_it_lies(trained, tmp_path):
    again = tmp_path / "run"
    shutil.copytree(trained, again)
    text = (again / "config.json").read_text()
    (again / "config.json").write_text(text.replace("lying_encoders:Mine", "gone_encoders:Mine"))
    results, before = again / "results.jsonl", {path: path.read_bytes() for path in again.rglob("*") if path.is_file()}
    for words in (["test", again], ["train", "--resume", again]):
        if words[0] == "train":
            before.pop(results)
            results.unlink()
        with pytest.raises(
            SystemExit, match=r"gone_encoders:Mine cannot be imported(.|\n)*put that folder on PYTHONPATH"
        ):
            call(*words, *HERE)
    assert before == {path: path.read_bytes() for path in again.rglob("*") if path.is_file()}
