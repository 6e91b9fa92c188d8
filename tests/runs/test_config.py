"""The configuration reads back into the same objects, and its name follows from it."""

from dataclasses import replace

import pytest

from egonorm.core import RunError, Setting, SettingError
from egonorm.methods import Rna, SourceOnly, methods
from egonorm.runs.config import Run, from_json, read_run, to_json
from egonorm.runs.presets import PRESETS


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
    for method in methods().values():
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


def test_a_micro_batch_is_written_when_it_is_given():
    """Runs from before it was an option keep their configuration, and so their folders."""
    assert "micro_batch" not in to_json(make()) and from_json(to_json(make())).optim.micro_batch is None
    given = make(optim=replace(make().optim, micro_batch=32))
    assert from_json(to_json(given)) == given and given.name != make().name


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
