"""The configuration reads back into the same objects, and its name follows from it."""

import json
from dataclasses import replace

import pytest

from egonorm.core import RunError, Setting, SettingError
from egonorm.methods import Rna, SourceOnly
from egonorm.methods.mm_sada import MmSada
from egonorm.runs.config import Run, from_json, read_run, read_stored, to_json, write_run
from egonorm.runs.presets import PRESETS
from our_methods import our_methods
from own_parts import Every
from refusals import refused


def make(preset="paper", **changes) -> Run:
    parts = PRESETS[preset]()
    run = Run("folder:/clips", Setting("dg1", ("D1",), "D2"), parts.net, optim=parts.optim, evaluation=parts.evaluation)
    return replace(run, **changes)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("method", [SourceOnly(), Rna(weight=0.25, numerator="first", form="mean_of_ratios")])
def test_reads_back_into_the_same_objects(preset, method):
    run = make(preset, method=method, seed=7)
    assert from_json(to_json(run)) == run
    assert list(from_json(to_json(run)).net.streams) == ["rgb", "audio"]


def test_every_method_reads_back():
    for method in our_methods().values():
        run = make(method=method())
        assert from_json(to_json(run)) == run


def test_the_order_of_modalities_is_part_of_it():
    run = make()
    swapped = replace(run, net=run.net.choose(("audio", "rgb")))
    assert list(from_json(to_json(swapped)).net.streams) == ["audio", "rgb"]
    assert swapped.name != run.name


def test_names_differ_for_any_difference():
    runs = [
        make(),
        make(seed=1),
        make(method=Rna()),
        make(method=Rna(weight=2.0)),
        make("small"),
        make(precision="bfloat16"),
    ]
    assert len({run.name for run in runs}) == len(runs)
    assert make(method=Rna()).name.startswith("rna-dg1-D1-D2-0-")
    assert make().name == make().name


@pytest.mark.parametrize(
    ("preset", "digest"),
    [("demo", "e4af9292"), ("small", "a03aae17"), ("paper", "8ac2565a"), ("features", "8108f063")],
)
def test_runs_are_called_what_they_always_were(preset, digest):
    """Runs from before something was an option keep their configuration, and so their folders."""
    assert make(preset).name == f"source-only-dg1-D1-D2-0-{digest}"


@pytest.mark.parametrize(
    "changes",
    [
        {"micro_batch": 32},
        {"optimizer": "adamw"},
        {"optimizer": "adamw", "betas": (0.8, 0.9)},
        {"schedule": "cosine"},
        {"warm_up": 0.05},
        {"lr_factors": {"rgb.encoder": 0.1, "audio": 1}},
        {"frozen": ("rgb.encoder", "audio")},
    ],
)
def test_what_is_not_as_by_default_is_written(changes):
    given = make(optim=replace(make().optim, **changes))
    assert from_json(to_json(given)) == given and given.name != make().name
    assert set(json.loads(to_json(given))["optim"]) - set(json.loads(to_json(make()))["optim"]) == set(changes)


@pytest.mark.parametrize("names", [(), ("rgb", "smell"), ("rgb", "rgb")])
def test_unknown_modalities_are_refused(names):
    with pytest.raises(SettingError, match="each once, of rgb, audio"):
        make().net.choose(names)


def test_the_papers_numbers():
    """Planamente et al., Section 5.1, and the authors' scripts: what the preset must say."""
    run = make("paper")
    rgb, audio = run.net.streams["rgb"], run.net.streams["audio"]
    assert (rgb.input.span.num_frames, rgb.input.span.stride, rgb.input.span.fps) == (16, 2, 60.0)
    assert (rgb.input.short_side, rgb.input.crop, rgb.input.scales) == (256, 224, (1.0, 0.875, 0.75))
    assert audio.input.spectrogram.shape == (256, 256)
    assert (run.optim.steps, run.optim.batch, run.optim.lr, run.optim.momentum) == (9000, 128, 0.01, 0.9)
    assert (run.optim.weight_decay, run.optim.lr_at(3000), run.optim.lr_at(3001)) == (1e-7, 0.01, pytest.approx(0.001))
    assert (run.evaluation.num_windows, run.evaluation.every, run.evaluation.keep) == (5, 50, 9)
    assert run.evaluation.average == "softmax" and run.net.dropout == 0.5


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(RunError, match="is not the folder of a run"):
        read_run(tmp_path)
    (tmp_path / "config.json").write_text('{"data": 3}')
    with pytest.raises(RunError, match="is not the folder of a run"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("method", "changes", "message"),
    [
        (Rna(), {"scale": 2}, "rna has no option scale.\n  got:      scale=2\n  expected: weight, numerator, form\n"),
        (Rna(), {"weight": "x"}, "rna cannot use this weight.\n  got:      'x'\n  expected: float\n"),
        (MmSada(), {"ss": 3}, "mm-sada cannot use this ss.\n  got:      3\n  expected: Ss\n"),
    ],
)
def test_a_method_that_has_other_options_now_is_named_with_them(tmp_path, method, changes, message):
    tree = json.loads(to_json(make("demo", method=method)))
    tree["method"] |= changes
    (tmp_path / "config.json").write_text(json.dumps(tree))
    with pytest.raises(RunError) as caught:
        read_run(tmp_path)
    assert str(caught.value).startswith(f"The run in {tmp_path} cannot be read here: {message}")


def test_configurations_are_written_in_the_same_bytes_as_ever():
    """The eight digits of a name are of these bytes: other ones would give every run another folder."""
    for preset, digits in {
        "demo": "1cd838ef",
        "small": "f1686641",
        "paper": "00ec14ac",
        "features": "8108f063",
    }.items():
        parts = PRESETS[preset]()
        net = replace(parts.net, streams=parts.net.streams | parts.further)
        assert make(preset, net=net).name.endswith(digits)


def with_input(given) -> Run:
    run = make("demo")
    stream = replace(run.net.streams["rgb"], input=given)
    return replace(run, net=replace(run.net, streams=run.net.streams | {"rgb": stream}))


def test_an_input_of_a_users_module_reads_back_by_its_path():
    run = with_input(Every(make("demo").net.span, pixel=3))
    tree = json.loads(to_json(run))["net"]["streams"]["rgb"]["input"]
    assert tree["kind"] == "own_parts:Every" and tree["pixel"] == 3
    assert from_json(to_json(run)) == run != make("demo")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            "gone.away:Input",
            r"cannot be imported(.|\n)*No module named 'gone'(.|\n)*a module gone.away that can be imported",
        ),
        (
            "own_parts:NoInput",
            r"is no input(.|\n)*without varies, augment, to_inputs(.|\n)*a frozen dataclass with reads",
        ),
        ("own_parts:Gone", r"the module own_parts without Gone"),
        ("Gone", r"Gone names no class(.|\n)*expected: package.module:Class"),
    ],
)
def test_an_input_that_is_not_here_is_named(tmp_path, kind, message):
    text = to_json(with_input(Every(make("demo").net.span)))
    (tmp_path / "config.json").write_text(text.replace("own_parts:Every", kind))
    with pytest.raises(RunError, match=f"The run in .* cannot be read here: (.|\n)*{message}"):
        read_run(tmp_path)


def test_many_folders_are_read_as_one_is(tmp_path):
    for name in PRESETS:
        run = make(name, method=Rna(weight=0.5), seed=3)
        folder = tmp_path / run.name
        write_run(folder, run)
        stored = read_stored(folder)
        assert (stored.setting, stored.seed, stored.method, stored.run) == (run.setting, 3, Rna(weight=0.5), run)
        assert stored.run == read_run(folder)
        renamed = folder.rename(tmp_path / name)
        assert read_stored(renamed).run == run and read_stored(renamed).common == stored.common


def test_a_configuration_that_is_not_as_it_was_written_is_checked_value_by_value(tmp_path):
    run = make("demo")
    folder = tmp_path / run.name
    write_run(folder, run)
    whole = (folder / "config.json").read_text()
    for before, after, told in (
        ('"lr": 0.03', '"lr": "much"', "config.json"),
        ('"lr": 0.03', '"lr": -1', "lr"),
        ('"version": 1', '"version": 2', "another version"),
        ('"name": "source-only"', '"name": "nobody"', "a method that is not here"),
        ('"fusion": "sum"', '"fusion": "early"', "config.json"),
    ):
        assert before in whole
        (folder / "config.json").write_text(whole.replace(before, after))
        with pytest.raises(RunError, match=told):
            read_stored(folder)


def test_a_configuration_that_its_folder_is_not_named_after_is_refused(tmp_path):
    run = make(seed=3)
    folder = tmp_path / run.name
    folder.mkdir()
    write_run(folder, run)
    assert read_run(folder) == run and read_stored(folder).run == run
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace('"seed": 3', '"seed": 4'))
    found, expected = (one.name.rpartition("-")[2] for one in (replace(run, seed=4), run))
    for read in (read_run, read_stored):
        with refused(
            RunError,
            f"{folder / 'config.json'} is not the configuration that its folder is named after.",
            f"one of the digits {found}",
            f"{expected}, at the end of the folder's name",
            "Bring the file back as it was. If it is right and the folder was renamed, name it "
            f"{replace(run, seed=4).name}.",
        ):
            read(folder)
    for name in ("mine", "backup-20261201", f"{folder.name}-old"):
        folder = folder.rename(tmp_path / name)
        assert read_run(folder).seed == read_stored(folder).seed == 4


@pytest.mark.parametrize("text", ["[" * 99999, '{"method": ' * 99999])
def test_a_configuration_that_nests_too_deep_is_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    for read in (read_run, read_stored):
        with pytest.raises(RunError, match="is not the folder of a run"):
            read(tmp_path)


@pytest.mark.parametrize("dropout", [-0.1, 1.5, float("nan")])
def test_a_dropout_that_is_no_probability_is_refused(tmp_path, dropout):
    with pytest.raises(SettingError, match=rf"dropout cannot be used(.|\n)*got: +{dropout}\n +expected: 0 to 1\n"):
        replace(make().net, dropout=dropout)
    assert [replace(make().net, dropout=p).dropout for p in (0.0, 1.0)] == [0.0, 1.0]
    text = to_json(make())
    assert text.count('"dropout": 0.5') == 1
    (tmp_path / "config.json").write_text(text.replace('"dropout": 0.5', '"dropout": 1.5'))
    with pytest.raises(RunError, match="dropout"):
        read_run(tmp_path)
