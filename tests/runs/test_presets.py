"""The presets' third stream, optical flow: chosen by name, and trained from rendering to table."""

from dataclasses import replace

import pytest

from egonorm import cli
from egonorm.core import RunError, SettingError
from egonorm.methods import Rna, SourceOnly
from egonorm.runs.config import from_json, to_json
from egonorm.runs.presets import configure, demo, usual_preset
from egonorm.runs.results import read_rows

MEDIA_PRESETS = ("demo", "small", "paper")


def configured(preset, **changes):
    return configure("kitchens:/k", "dg1:D1:D2", Rna(), preset, **changes)


@pytest.mark.parametrize("preset", MEDIA_PRESETS)
def test_flow_is_used_only_when_it_is_named_and_in_the_order_given(preset):
    assert list(configured(preset).net.streams) == ["rgb", "audio"]
    for names in ("rgb,audio,flow", "flow,rgb", "flow"):
        run = configured(preset, modalities=names, width=0.5)
        assert list(run.net.streams) == names.split(",")
        assert {stream.encoder.width for stream in run.net.streams.values()} == {0.5}
        assert from_json(to_json(run)) == run


@pytest.mark.parametrize("preset", MEDIA_PRESETS)
def test_flow_is_looked_at_as_the_pictures_are(preset):
    streams = configured(preset, modalities="rgb,flow").net.streams
    assert streams["flow"].input == replace(streams["rgb"].input, displacement=True)
    assert streams["flow"].encoder == replace(streams["rgb"].encoder, in_channels=2)


@pytest.mark.parametrize("preset", MEDIA_PRESETS)
@pytest.mark.parametrize("names", ["rgb,smell", "flow,flow", ""])
def test_unknown_modalities_are_told_all_three(preset, names):
    with pytest.raises(SettingError, match="each once, of rgb, audio, flow"):
        configured(preset, modalities=names)


def test_published_weights_are_for_any_modality_that_is_used():
    run = configured("paper", modalities="rgb,audio,flow", weights=["flow=flow_imagenet.pt"])
    assert run.net.streams["flow"].encoder.weights.endswith("flow_imagenet.pt")
    with pytest.raises(SettingError, match=r"weights for flow[\s\S]*Correct --weights or --modalities"):
        configured("paper", weights=["flow=flow_imagenet.pt"])


@pytest.mark.slow
def test_three_modalities_from_rendering_to_table(tmp_path, capsys):
    def call(*words):
        cli.main([str(word) for word in words])
        return capsys.readouterr().out

    root = tmp_path / "k"
    text = call("data", "kitchens", root, "--clips", "24", "--kitchens", "2", "--size", "72", "96", "--flow")
    assert f"egonorm data check kitchens:{root} --modalities rgb,audio,flow" in text
    text = call("data", "check", f"kitchens:{root}", "--modalities", "rgb,audio,flow")
    assert "flow: 6 x flow/DOMAIN/VIDEO.tar" in text and "are there (rgb, audio, flow)" in text
    place = ["--data", f"kitchens:{root}", "--out", tmp_path / "r", "--workers", "0", "--device", "cpu"]
    small = ["--preset", "demo", "--steps", "4", "--batch", "4", "--width", "0.0625"]
    text = call("train", *place, *small, "--setting", "dg1:D1:D2", "--modalities", "rgb,audio,flow", "rna")
    assert all(f"delta {pair}" in text for pair in ("rgb-audio", "rgb-flow", "audio-flow")) and "top-1 flow" in text
    (folder,) = (tmp_path / "r").iterdir()
    metrics = {row.metric for row in read_rows(folder) if row.domain == "D2"}
    assert {"top1", "top1/flow", "mean_norm/flow", "mean_norm_difference/audio-flow"} <= metrics


def test_the_usual_preset_follows_the_data():
    assert usual_preset("features:x", None) == "features" and usual_preset("kitchens:x", None) == "small"
    assert usual_preset("features:x", "demo") == "demo" and usual_preset(None, None) == "small"


def test_the_learning_rate_is_chosen():
    assert configure("kitchens:x", "dg1:D1:D2", SourceOnly(), "demo", lr=0.5).optim.lr == 0.5
    with pytest.raises(RunError, match="--lr cannot be used"):
        configure("kitchens:x", "dg1:D1:D2", SourceOnly(), "demo", lr=-1.0)


def test_the_micro_batch_is_chosen():
    assert configured("paper", micro_batch=32).optim.pieces == 4
    with pytest.raises(RunError, match=r"--micro-batch 0, batch 128(.|\n)*2 or more"):
        configured("paper", micro_batch=0)
    with pytest.raises(RunError, match=r"--micro-batch 32, batch 48[\s\S]*Correct --micro-batch or --batch"):
        configured("paper", batch=48, micro_batch=32)


def test_optimisation_is_chosen_by_the_names_of_the_options():
    own = {"optimizer": "adamw", "schedule": "cosine", "warm_up": 0.1, "betas": (0.8, 0.9), "weight_decay": 0.01}
    one = configured("demo", **own, lr_factor={"rgb.encoder": 0.1}, freeze=["audio.encoder"], momentum=None).optim
    two = configured("demo", **own, lr_factor=["rgb.encoder=0.1"], freeze=("audio.encoder",)).optim
    assert one == two == replace(demo().optim, **own, lr_factors={"rgb.encoder": 0.1}, frozen=("audio.encoder",))
    assert configured("demo", lr_factor=(), freeze=()).optim == demo().optim
    with pytest.raises(
        RunError, match=r"--lr-factor cannot be read(.|\n)*rgb\n(.|\n)*BLOCK=FLOAT(.|\n)*rgb.encoder=0.1"
    ):
        configured("demo", lr_factor=["rgb"])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"stepz": 3}, r"There is no option 'stepz'[\s\S]*got: +stepz=3[\s\S]*modalities, .*steps, [\s\S]*remedy:"),
        ({"frozen": ("rgb",)}, r"There is no option 'frozen'[\s\S]*freeze"),
        ({"schedule": "cos"}, r"got: +'cos'[\s\S]*'steps' or 'cosine'[\s\S]*Correct schedule"),
        ({"optimizer": "adam"}, r"got: +'adam'[\s\S]*'sgd' or 'adamw'[\s\S]*Correct optimizer"),
        ({"fusion": "early"}, r"got: +'early'[\s\S]*'sum' or 'concat'[\s\S]*Correct fusion"),
        ({"precision": "float16"}, r"got: +'float16'[\s\S]*'float32' or 'bfloat16'[\s\S]*Correct precision"),
        ({"steps": 2.5}, r"got: +2.5[\s\S]*Correct steps"),
        ({"steps": "2"}, r"got: +'2'[\s\S]*Correct steps"),
        ({"seed": "a"}, r"got: +'a'[\s\S]*Correct seed"),
    ],
)
def test_options_from_python_are_checked_as_the_command_line_checks_them(changes, told):
    with pytest.raises(SettingError, match=told):
        configured("demo", **changes)


def test_what_an_option_takes_several_times_may_be_one_or_go_by_name():
    alike = {
        "freeze": ("rgb.encoder", ["rgb.encoder"]),
        "lr_factor": ("fusion=2", ["fusion=2"], {"fusion": 2}),
        "encoder": ("rgb=i3d:momentum=0.01", ["rgb=i3d:momentum=0.01"], {"rgb": "i3d:momentum=0.01"}),
        "weights": ("rgb=x.pt", ["rgb=x.pt"], {"rgb": "x.pt"}),
    }
    for option, ways in alike.items():
        assert len({to_json(configured("demo", **{option: way})) for way in ways}) == 1, option
        assert configured("demo", **{option: ways[0]}) != configured("demo"), option
