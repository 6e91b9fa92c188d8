"""Through training: curves by hand, averaged over stretches and seeds, and logs that are old, cut or gone."""

import json
from dataclasses import replace

import numpy as np
import pytest
from told_runs import lines, log_of, report_data, tell

from egonorm.methods import Rna, SourceOnly
from egonorm.report.figures.by_class import training_by_class
from egonorm.report.figures.curves import MOST, make_curve, training_curves
from egonorm.report.style import svg_of
from egonorm.runs.train_log import LOG
from stored_runs import plain_run

NORMS = {"D1/rgb": 3.0, "D1/audio": 7.0}
CLASSES = {
    "D1": {
        "take": {"n": 3, "accuracy": 25.0, "norms": {"rgb": 3.0, "audio": 7.0}},
        "<b>put</b> $x$": {"n": 1, "accuracy": 75.0, "norms": {"rgb": 4.0, "audio": 9.0}},
    }
}


def of(values):
    return {step: (float(value), 1.0) for step, value in values.items()}


def tell_pair(out, logs, seeds=(0,), modalities=None, domain="D1"):
    """Both methods; `logs` gives each its log by name and seed."""
    folders = []
    for method in (SourceOnly(), Rna()):
        for seed in seeds:
            run = plain_run("dg1:D1:D2", method, seed)
            run = replace(run, net=run.net.choose(modalities)) if modalities else run
            measured = {"D1": {"top1": 80.0}, "D2": {"top1": 40.0 + 20 * (method == Rna())}}
            folders.append(tell(out, run, measured, log=logs(method.name(), seed)))
    return folders


def shown(make, out):
    data = report_data(out)
    return make(data.comparisons("rna")[-1], data)


def test_a_curve_by_hand():
    curve = make_curve([of({1: 1, 2: 3, 3: 5, 4: 7}), of({1: 3, 2: 5, 3: 7, 4: 9, 5: 11}), {}], most=3)
    assert curve.steps.tolist() == [1.5, 3.5, 5.0] and curve.num_seeds == 2
    assert curve.means.tolist() == [3.0, 7.0, 11.0]
    assert curve.lows.tolist() == [2.0, 6.0, 11.0] and curve.highs.tolist() == [4.0, 8.0, 11.0]
    assert make_curve([{}, {}]) is None and make_curve([]) is None
    assert make_curve([of({1: float("nan"), 2: 3})]).means.tolist() == [3.0]


def test_steps_with_more_clips_weigh_more():
    assert make_curve([{1: (0.0, 1.0), 2: (100.0, 3.0)}], most=1).means.tolist() == [75.0]


def test_long_trainings_are_averaged_and_smoothed_without_moving():
    values = np.arange(9000.0)
    curve = make_curve([of(dict(enumerate(values)))])
    assert len(curve.rows) == MOST == 200
    np.testing.assert_allclose(curve.means, values.reshape(MOST, 45).mean(axis=1))
    np.testing.assert_allclose(
        curve.smooth, curve.means, rtol=1e-12, err_msg="a straight line stays one, ends included"
    )
    spike = make_curve([of({k: 1.0 * (k == 100) for k in range(200)})])
    assert spike.smooth.max() == pytest.approx(1 / 11) and spike.means.max() == 1.0
    assert make_curve([of({1: 0, 2: 9, 3: 0})], smoothed=False).smooth.tolist() == [0.0, 9.0, 0.0]


def test_training_by_hand(tmp_path):
    def logs(name, seed):
        return log_of(4, {m: x + seed for m, x in NORMS.items()}, ("class", "rna")[: 1 + (name == "rna")])

    tell_pair(tmp_path, logs, seeds=(0, 2))
    exhibit = shown(training_curves, tmp_path)
    rgb = lines(exhibit, quantity="mean norm", modality="rgb", series="RNA-Net", domain="D1")
    assert [row["step"] for row in rgb] == [1, 2, 3, 4] and [row["mean over seeds"] for row in rgb] == [4, 5, 6, 7]
    assert [(row["lowest seed"], row["highest seed"]) for row in rgb] == [(3, 5), (4, 6), (5, 7), (6, 8)]
    assert {row["mean over seeds"] for row in lines(exhibit, quantity="delta rgb-audio")} == {-4}
    assert {row["series"] for row in lines(exhibit, quantity="loss term: class")} == {"Source Only", "RNA-Net"}
    assert {row["series"] for row in lines(exhibit, quantity="loss term: rna")} == {"RNA-Net"}
    assert {row["mean over seeds"] for row in lines(exhibit, quantity="training accuracy", domain="D1")} == {50}
    test = {
        (row["series"], row["step"]): row["mean over seeds"]
        for row in lines(exhibit, quantity="test accuracy", domain="D2")
    }
    assert test == {("Source Only", 10): 40, ("Source Only", 20): 40, ("RNA-Net", 10): 60, ("RNA-Net", 20): 60}
    assert "mean norm in D1: Source Only rgb 4 to 7, Source Only audio 8 to 11, RNA-Net rgb 4 to 7" in exhibit.text
    assert "test accuracy in D2: Source Only 40 to 40, RNA-Net 60 to 60." in exhibit.text
    assert "2 seeds" in exhibit.caption and "moving average" in exhibit.caption and "older" not in exhibit.caption
    assert svg_of(exhibit.figure, "a") == svg_of(exhibit.figure, "a")


def test_old_logs_have_no_accuracy_and_say_so(tmp_path):
    tell_pair(tmp_path, lambda name, seed: log_of(4, NORMS, accuracy=None))
    exhibit = shown(training_curves, tmp_path)
    assert (
        not lines(exhibit, quantity="training accuracy") and "logs of older versions do not have it" in exhibit.caption
    )
    assert "one seed" in exhibit.caption
    assert "do not tell classes apart" in shown(training_by_class, tmp_path).missing


@pytest.mark.slow
def test_a_log_that_is_cut_or_gone(tmp_path):
    whole = "".join(json.dumps(entry) + "\n" for entry in log_of(4, NORMS, classes=CLASSES))
    folders = tell_pair(tmp_path, lambda name, seed: whole[:-20])
    found = lines(shown(training_curves, tmp_path), quantity="loss term: class", series="RNA-Net")
    assert [row["step"] for row in found] == [1, 2, 3]
    (folders[0] / LOG).unlink()
    for make in (training_curves, training_by_class):
        assert {row["series"] for row in lines(shown(make, tmp_path)) if row["quantity"] != "test accuracy"} == {
            "RNA-Net"
        }
    assert "Some logs are gone, and left out: Source Only." in shown(training_curves, tmp_path).caption
    (folders[1] / LOG).unlink()
    for make in (training_curves, training_by_class):
        exhibit = shown(make, tmp_path)
        assert exhibit.figure is None and "train.jsonl) are gone" in exhibit.missing


@pytest.mark.slow
def test_a_domain_that_one_side_alone_was_trained_on(tmp_path):
    tell_pair(
        tmp_path, lambda name, seed: log_of(4, NORMS | ({"D2/rgb": 1.0, "D2/audio": 2.0} if name == "rna" else {}))
    )
    exhibit = shown(training_curves, tmp_path)
    assert {row["series"] for row in lines(exhibit, quantity="mean norm", domain="D2")} == {"RNA-Net"}
    assert [text.get_text() for axes in exhibit.figure.axes for text in axes.texts] == ["nothing logged"]


@pytest.mark.slow
@pytest.mark.parametrize("names", [("rgb",), ("rgb", "audio", "imu")])
def test_any_number_of_modalities(tmp_path, names):
    norms = {f"D1/{name}": 3.0 for name in names}
    of_class = {"D1": {"take": {"n": 2, "accuracy": 50.0, "norms": dict.fromkeys(names, 3.0)}}}
    tell_pair(tmp_path, lambda name, seed: log_of(4, norms, classes=of_class))
    quantities = {row["quantity"] for row in lines(shown(training_curves, tmp_path))}
    assert sum(name.startswith("delta") for name in quantities) == len(names) * (len(names) - 1) // 2
    by_class = lines(shown(training_by_class, tmp_path), quantity="mean norm")
    assert {row["modality"] for row in by_class} == set(names)


def test_classes_by_hand(tmp_path):
    tell_pair(tmp_path, lambda name, seed: log_of(6, NORMS, classes=CLASSES), seeds=(0, 1))
    exhibit = shown(training_by_class, tmp_path)
    take = lines(exhibit, **{"class": "take"}, series="RNA-Net")
    assert [row["step"] for row in take if row["modality"] == "rgb"] == [2, 4, 6]
    assert {row["modality"]: row["mean over seeds"] for row in take} == {"": 25, "rgb": 3, "audio": 7}
    assert (
        "take in D1: Source Only accuracy 25 %, Source Only rgb 3, Source Only audio 7, RNA-Net accuracy 25 %"
        in exhibit.text
    )
    assert "12 to 36 clips a class" in exhibit.caption
    titles = [axes.get_title(loc="left") for axes in exhibit.figure.axes]
    assert titles == ["take, D1", "accuracy, %", "<b>put</b> $x$, D1", "accuracy, %"]
    assert "<b>" not in svg_of(exhibit.figure, "a")


@pytest.mark.slow
def test_classes_with_few_clips_are_in_the_data_alone_where_there_are_many(tmp_path):
    many = {"D1": {f"verb-{k}": {"n": 40 - k, "accuracy": 1.0 * k, "norms": {"rgb": 3.0}} for k in range(20)}}
    tell_pair(tmp_path, lambda name, seed: log_of(2, NORMS, classes=many))
    exhibit = shown(training_by_class, tmp_path)
    assert len(exhibit.figure.axes) == 32 and "4 classes with fewer are in the data file alone" in exhibit.caption
    assert "verb-19" not in exhibit.text and lines(exhibit, **{"class": "verb-19"})


ABSURD = {"D1/rgb": 1.7e308, "D1/audio": 7.0}


def test_absurd_values_and_steps_without_clips_are_missing():
    curve = make_curve([{1: (1.7e308, 1.0), 2: (3.0, 1.0), 3: (float("inf"), 1.0), 4: (9.0, 0.0)}])
    assert (curve.steps.tolist(), curve.means.tolist(), curve.num_left_out) == ([2.0], [3.0], 2)
    assert make_curve([{1: (1.0, 0.0)}, {1: (1e308, 1.0)}]) is None


@pytest.mark.slow
def test_a_log_of_absurd_values_is_drawn_without_them(tmp_path):
    tell_pair(tmp_path, lambda name, seed: log_of(4, NORMS) + [entry | {"step": 5} for entry in log_of(1, ABSURD)])
    exhibit = shown(training_curves, tmp_path)
    found = lines(exhibit, quantity="mean norm", series="RNA-Net")
    assert {row["modality"]: row["step"] for row in found} == {"rgb": 4, "audio": 5}
    assert "Values that are not finite, or above 1e+30, are left out: 4." in exhibit.caption, "norms and deltas"
    assert "1e+308" not in svg_of(exhibit.figure, "a")


def test_a_class_without_clips_has_no_curve(tmp_path):
    empty = {"D1": CLASSES["D1"] | {"none": {"n": 0, "accuracy": 0.0, "norms": {"rgb": 0.0}}}}
    tell_pair(tmp_path, lambda name, seed: log_of(4, NORMS, classes=empty))
    exhibit = shown(training_by_class, tmp_path)
    assert "none" not in {row["class"] for row in lines(exhibit)} and "none" not in exhibit.text
    assert [axes.get_title(loc="left") for axes in exhibit.figure.axes][::2] == ["take, D1", "<b>put</b> $x$, D1"]


def test_classes_without_clips_alone_are_none(tmp_path):
    empty = {"D1": {"none": {"n": 0, "accuracy": 0.0, "norms": {"rgb": 0.0}}}}
    tell_pair(tmp_path, lambda name, seed: log_of(4, NORMS, classes=empty))
    assert "do not tell classes apart" in shown(training_by_class, tmp_path).missing


@pytest.mark.slow
def test_names_of_half_characters_are_drawn(tmp_path):
    odd = {"D1": {"put\ud800": {"n": 1, "accuracy": 75.0, "norms": {"rgb": 4.0}}}}
    tell_pair(tmp_path, lambda name, seed: log_of(4, NORMS, ("class", "a\ud800"), classes=odd))
    for make in (training_curves, training_by_class):
        assert r"\ud800" in svg_of(shown(make, tmp_path).figure, "a")
