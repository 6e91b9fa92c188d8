"""The figure of activation maps: what is drawn where, by the command too, and refusals."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
import torch
from matplotlib.image import imread

from clip_runs import features_run, keep, narrow_run, store_of
from egonorm.cli import main
from egonorm.core import RunError, SettingError
from egonorm.export.saved_clip import SavedClip, Sound
from egonorm.methods import Rna
from egonorm.report.figures.saliency import MAX_COLUMNS, OPACITY, cam_figure, draw_maps, upsampled

UID = "D2_test_00_0"


def clip(method: str = "source-only", **changes) -> SavedClip:
    """Three frames and a sound, with a map that is hot in one corner."""
    corner = np.zeros((3, 2, 2), np.float32)
    corner[:, 0, 1] = (1, 2, 4)
    heard = np.zeros((2, 4), np.float32)
    heard[1, 0] = 1
    maps = {
        (label, how, m): x
        for label in (0, 1)
        for how in ("fused", "own")
        for m, x in {"see": corner, "hear": heard}.items()
    }
    frame = simplejpeg.encode_jpeg(np.full((32, 32, 3), 200, np.uint8), colorspace="RGB")
    sound = Sound(
        np.zeros((16, 20), np.float32), np.linspace(0, 12000, 16, dtype=np.float32), np.ones(500, np.float32), 4.0, 5.0
    )
    scores = {name: np.array([0.25, 0.75], np.float32) for name in ("fused", "see", "hear")}
    given = {
        "run": "r",
        "method": method,
        "seed": 3,
        "step": 9,
        "uid": "c1",
        "domain": "D2",
        "label": 0,
        "classes": ("cut", "mix"),
        "start": 4.0,
        "stop": 5.0,
        "times": (4.25, 4.5, 4.75),
        "frames": (frame,) * 3,
        "sounds": {"hear": sound},
        "maps": maps,
        "scores": scores,
        "norms": {"see": 1.0, "hear": 2.0},
    }
    return SavedClip(**given | changes)


def texts(figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def test_upsampling_is_bilinear_between_the_middles_of_cells():
    for height, width in ((9, 14), (2, 3), (1, 1), (30, 7)):
        coarse = np.random.default_rng(0).random((2, 3)).astype(np.float32)
        expected = torch.nn.functional.interpolate(torch.tensor(coarse)[None, None], (height, width), mode="bilinear")[
            0, 0
        ]
        np.testing.assert_allclose(upsampled(coarse, height, width), expected, atol=1e-6)


def test_a_row_for_each_run_and_a_spectrogram_for_each():
    figure = cam_figure([clip(), clip("rna")])
    told = texts(figure)
    assert told[-2] == "Scores and maps of one network (checkpoint at step 9)."
    assert told[0] == "c1, true class cut" and "Grad-CAM" in told[-1] and "true class" in told[-1]
    assert told[1] == "Source Only, seed 3: answers mix 0.75, true class cut 0.25; see" and "; hear" in told[3]
    pictures = [axes for axes in figure.axes if axes.get_xlabel().endswith(" s")]
    assert [axes.get_xlabel() for axes in pictures] == ["4.25 s", "4.50 s", "4.75 s"] * 2
    peaks = [float(axes.images[1].get_alpha().max()) for axes in pictures]
    assert peaks == pytest.approx([OPACITY * part for part in (0.25, 0.5, 1)] * 2), "one scale for all frames of a row"
    alpha = pictures[2].images[1].get_alpha()
    assert alpha.shape == (32, 32) and alpha[0, -1] == alpha.max() and alpha[-1, 0] == 0
    looks = [axes for axes in figure.axes if axes.get_ylabel() == "kHz"]
    assert len(looks) == 2 and looks[0].get_xlabel() == "s" and looks[0].get_xlim() == (4.0, 5.0)
    heat = looks[0].images[1]
    assert heat.origin == "lower" and heat.get_alpha()[-1, 0] == heat.get_alpha().max(), (
        "high frequencies are drawn above"
    )
    ticks = dict(zip((t.get_text() for t in looks[0].get_yticklabels()), looks[0].get_yticks(), strict=True))
    assert ticks["8"] == pytest.approx(8000 / 12000 * 15 + 0.5)


def test_one_streams_logit_leaves_the_others_without_map():
    figure = cam_figure(clip(), logit="hear")
    assert "(hear alone)" in texts(figure)[1]
    pictures = [axes for axes in figure.axes if axes.get_xlabel().endswith(" s")]
    assert len(pictures) == 3 and all(len(axes.images) == 1 for axes in pictures)
    assert [len(axes.images) for axes in figure.axes if axes.get_ylabel() == "kHz"] == [2]


def test_the_answers_maps_are_another_figure():
    hot = {key: (x if key[0] == 0 else x[..., ::-1]) for key, x in clip().maps.items()}
    alphas = {}
    for of in ("true", "answer"):
        figure = cam_figure(clip(maps=hot), of=of)
        alphas[of] = figure.axes[2].images[1].get_alpha()
        assert {"true": "the true class", "answer": "the run's answer"}[of] in texts(figure)[-1]
    assert alphas["true"][0, -1] > 0 == alphas["true"][0, 0] and alphas["answer"][0, 0] > 0 == alphas["answer"][0, -1]


@pytest.mark.slow
def test_many_frames_no_frames_dead_maps_and_hostile_names_are_drawn():
    dead = {key: np.zeros_like(x) for key, x in clip().maps.items()}
    long = clip(
        times=tuple(float(k) for k in range(16)),
        frames=clip().frames[:1] * 16,
        maps={(0, "fused", "see"): np.ones((16, 7, 7), np.float32)},
        sounds={},
    )
    names = clip(classes=(r"$\frac{1}{$ <b>& 切る", "x" * 200), uid="a$b\n$" + "c" * 90)
    for one in (clip(maps=dead), long, clip(frames=()), names):
        assert draw_maps(cam_figure(one), ".svg").startswith(b"<?xml") and draw_maps(cam_figure(one), ".png", 60)
    figure = cam_figure(long)
    assert len(figure.axes) == MAX_COLUMNS and figure.axes[-1].get_xlabel() == "15.00 s"
    assert texts(cam_figure(names))[0].startswith("a$b $ccc") and len(texts(cam_figure(names))[1]) < 110


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(SettingError, match=r"no logit 'smell'(.|\n)*fused, see, hear"):
        cam_figure(clip(), logit="smell")
    with pytest.raises(RunError, match=r"no activation maps of c1(.|\n)*which have no place"):
        cam_figure(clip(maps={}, missing="The network is fed features, which have no place."))
    with pytest.raises(RunError, match=r"rgb declares no maps\.\n +expected: .*declare their last maps\n.*self\.maps"):
        cam_figure(clip(maps={}, missing="The encoder of rgb declares no maps."))


def test_the_file_of_a_figure_is_small():
    content = draw_maps(cam_figure([clip(), clip("rna")]), ".jpg", 100)
    picture = imread(io.BytesIO(content), "jpg")
    assert len(content) < 100_000 and picture.shape[1] == 720


@pytest.fixture
def runs(kitchens, tmp_path) -> list[Path]:
    first = narrow_run(f"kitchens:{kitchens}")
    return [keep(run, tmp_path).folder for run in (first, replace(first, method=Rna()))]


@pytest.mark.slow
def test_the_command_draws_and_says_where(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(["cam", str(runs[0]), "--clip", UID])
    path = tmp_path / capsys.readouterr().out.strip()
    assert path.name == f"cam-{runs[0].name}-{UID}.png" and imread(path).shape[1] == 1440
    for name in ("both.svg", "both.pdf", "deep/both.jpg"):
        main(
            [
                "cam",
                str(runs[0]),
                "--clip",
                UID,
                "--with",
                str(runs[1]),
                "--logit",
                "audio",
                "--out",
                str(tmp_path / name),
            ]
        )
        assert capsys.readouterr().out.strip() == str(tmp_path / name) and (tmp_path / name).stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize("of", ["true", "answer"])
def test_the_command_draws_maps_of_either_class(runs, tmp_path, monkeypatch, of):
    asked = []
    monkeypatch.setattr(
        "egonorm.report.figures.saliency.cam_figure", lambda *a, **more: asked.append(more) or cam_figure(*a, **more)
    )
    main(["cam", str(runs[0]), "--clip", UID, "--of", of, "--out", str(tmp_path / "a.svg")])
    told = {"true": "the true class", "answer": "the run's answer"}[of]
    assert asked == [{"logit": "fused", "of": of}] and f"speaks more for {told}" in (tmp_path / "a.svg").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--clip", "D2_tst_00_0"], "such as D2_test_00_0"),
        (["--clip", UID, "--logit", "smell"], "fused, rgb, audio"),
        (["--clip", UID, "--out", "x.gif"], "ends in .png, .svg, .pdf or .jpg"),
        (["--clip", UID, "--with", "/nowhere"], "is not the folder of a run"),
    ],
)
def test_the_command_refuses_in_four_lines(runs, words, told):
    with pytest.raises(SystemExit) as caught:
        main(["cam", str(runs[0]), *words])
    assert str(caught.value).startswith("error: ") and told in str(caught.value)


def test_the_command_says_that_features_have_no_place(kitchens, tmp_path):
    data = store_of(tmp_path / "features", f"kitchens:{kitchens}")
    folder = keep(features_run(data), tmp_path).folder
    with pytest.raises(SystemExit, match="which have no place"):
        main(["cam", str(folder), "--clip", UID, "--out", str(tmp_path / "x.png")])
    assert not (tmp_path / "x.png").exists()
