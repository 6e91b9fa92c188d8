"""Figures 5 and 7: bars by hand, spread over seeds, what is missing, and when the paper's numbers stand beside them."""

from dataclasses import replace

import numpy as np
import pytest
from told_runs import lines, report_data, tell, tell_both

from egonorm.methods import SourceOnly
from egonorm.methods.align_only import AlignOnly
from egonorm.metrics import accuracy_interval, mean_accuracy_interval
from egonorm.report.figures.modalities import single_and_multiple
from egonorm.report.figures.stream_metrics import stream_accuracy, top_features
from stored_runs import plain_run


def alone(setting, modality, seed=0):
    run = plain_run(setting, SourceOnly(), seed)
    return replace(run, net=run.net.choose((modality,)))


def values(method, seed):
    """Twenty clips; RNA gains ten points, a seed ten more."""
    gain = 10.0 * (method == "rna") + 10.0 * seed
    return {"top1": 50.0 + gain, "top1/rgb": 30.0 + gain, "top1/audio": 40.0 + gain}


def test_streams_by_hand(tmp_path):
    tell_both(tmp_path, values, seeds=(0, 1))
    tell_both(tmp_path, values, seeds=(0, 1), setting="dg1:D2:D1")
    exhibit = stream_accuracy(report_data(tmp_path).comparisons("rna"))
    means = {(row["series"], row["stream"]): row for row in lines(exhibit, shift="mean")}
    assert {key: row["value"] for key, row in means.items()} == {
        ("Source Only", "RGB"): 35.0,
        ("RNA-Net", "RGB"): 45.0,
        ("Source Only", "Audio"): 45.0,
        ("RNA-Net", "Audio"): 55.0,
        ("Source Only", "RGB+Audio"): 55.0,
        ("RNA-Net", "RGB+Audio"): 65.0,
    }
    rgb = means["RNA-Net", "RGB"]
    assert rgb["high"] - rgb["value"] == pytest.approx(50**0.5, abs=1e-3)
    assert rgb["error bar"] == "standard deviation over 2 seeds" and rgb["seeds"] == "0 1" and rgb["n"] == 40
    assert {row["shift"] for row in lines(exhibit, stream="RGB")} == {"mean", "D1 → D2", "D2 → D1"}
    assert "Chance, one answer for all clips: D1 → D2 " in exhibit.caption
    assert "RGB: Source Only 35.0 % (paper 19.73), RNA-Net 45.0 % (paper 34.80); difference +10.0." in exhibit.text
    assert "does not say of which shifts" in exhibit.caption and "Not the paper's: data (kitchens)" in exhibit.caption
    assert exhibit.figure is not None and not exhibit.missing


def test_one_seed_has_the_interval_over_clips_and_says_so(tmp_path):
    tell_both(tmp_path, values)
    exhibit = stream_accuracy(report_data(tmp_path).comparisons("rna"))
    (row,) = lines(exhibit, stream="RGB", series="RNA-Net", shift="mean")
    assert (row["low"], row["high"]) == pytest.approx(accuracy_interval(40.0, 20), abs=1e-3)
    assert "Wilson; one seed" in row["error bar"] and "Wilson; one seed" in exhibit.caption


def test_shifts_on_the_same_clips_are_not_more_clips(tmp_path):
    for setting in ("dg1:D1:D2", "dg1:D3:D2"):
        tell_both(tmp_path, values, setting=setting)
    (row,) = lines(
        stream_accuracy(report_data(tmp_path).comparisons("rna")), stream="RGB", series="RNA-Net", shift="mean"
    )
    assert row["n"] == 20 and (row["low"], row["high"]) == pytest.approx(
        mean_accuracy_interval([40.0], [20], [1.0]), abs=1e-3
    )


def test_the_papers_numbers_stand_beside_its_own_method_and_domains_alone(tmp_path):
    tell_both(tmp_path / "a", values, setting="dg1:kitchen:D2")
    exhibit = stream_accuracy(report_data(tmp_path / "a").comparisons("rna"))
    assert {row["paper"] for row in lines(exhibit)} == {None} and "paper" not in exhibit.caption + exhibit.text
    for method in (SourceOnly(), AlignOnly()):
        tell(tmp_path / "b", plain_run("dg1:D1:D2", method), {"D2": values("", 0)})
    found = lines(stream_accuracy(report_data(tmp_path / "b").comparisons("align-only")), stream="RGB", shift="mean")
    assert {row["series"]: row["paper"] for row in found} == {"Source Only": 19.73, "Align. Only": None}
    tell_both(tmp_path / "c", values, setting="uda:D1:D2")
    assert {row["paper"] for row in lines(stream_accuracy(report_data(tmp_path / "c").comparisons("rna")))} == {None}


def test_one_stream_has_no_fusion_and_three_have_one_of_all(tmp_path):
    for method in (SourceOnly(), AlignOnly()):
        run = plain_run("dg1:D1:D2", method)
        tell(tmp_path / "one", replace(run, net=run.net.choose(("audio",))), {"D2": values("", 0)})
        streams = run.net.streams | {"imu": run.net.streams["audio"]}
        tell(
            tmp_path / "three",
            replace(run, net=replace(run.net, streams=streams)),
            {"D2": values("", 0) | {"top1/imu": 5.0}},
        )

    def streams(name):
        return {row[1] for row in stream_accuracy(report_data(tmp_path / name).comparisons("align-only")).rows}

    assert streams("one") == {"Audio"} and streams("three") == {"RGB", "Audio", "imu", "RGB+Audio+imu"}


def test_shares_are_shown_once_they_are_measured(tmp_path):
    assert "egonorm train" in top_features([]).missing and "egonorm train" in stream_accuracy(()).missing
    tell_both(tmp_path / "old", values)
    exhibit = top_features(report_data(tmp_path / "old").comparisons("rna"))
    assert exhibit.figure is None and "egonorm test RUN --domain" in exhibit.missing
    tell_both(
        tmp_path / "new",
        lambda method, seed: {"norm_share/rgb": 60.0 + 5 * (method == "rna"), "norm_share/audio": 70.0},
    )
    exhibit = top_features(report_data(tmp_path / "new").comparisons("rna"))
    assert {(row["stream"], row["series"]): row["value"] for row in lines(exhibit, shift="mean")} == {
        ("RGB", "Source Only"): 60.0,
        ("RGB", "RNA-Net"): 65.0,
        ("Audio", "Source Only"): 70.0,
        ("Audio", "RNA-Net"): 70.0,
    }
    assert "RGB: Source Only 60.0 % (paper 63.35), RNA-Net 65.0 % (paper 61.57); difference +5.0." in exhibit.text
    assert "inferred" in exhibit.caption and "none (one seed)" in exhibit.caption


def test_single_and_multiple_by_hand(tmp_path):
    for seed in (0, 1):
        for setting in ("dg1:D1:D2", "dg1:D2:D1"):
            tell(tmp_path, plain_run(setting, SourceOnly(), seed), {setting[-2:]: {"top1": 60.0 + 10 * seed}})
            tell(tmp_path, alone(setting, "rgb", seed), {setting[-2:]: {"top1": 40.0}})
        tell(tmp_path, alone("dg1:D1:D2", "audio", seed), {"D2": {"top1": 20.0}})
        tell(tmp_path, alone("supervised:D1:D1", "rgb", seed), {"D1": {"top1": 80.0}})
    exhibit = single_and_multiple(report_data(tmp_path))
    means = {(row["series"], row["stream"]): (row["value"], row["paper"]) for row in lines(exhibit, shift="mean")}
    assert means == {
        ("supervised", "RGB"): (80.0, 57.91),
        ("source-only", "RGB"): (40.0, 36.14),
        ("source-only", "Audio"): (20.0, 36.42),
        ("source-only", "RGB+Audio"): (65.0, 41.87),
    }
    assert {row["shift"] for row in lines(exhibit, series="source-only")} == {"mean", "D1 → D2"}, (
        "audio has D1 → D2 alone"
    )
    assert "Not there: Audio (supervised), RGB+Audio (supervised); egonorm bench paper.figure5" in exhibit.caption
    assert "RGB+Audio: source-only 65.0 % (paper 41.87)." in exhibit.text


def test_single_and_multiple_without_the_runs(tmp_path):
    tell(tmp_path / "a", plain_run("uda:D1:D2"), {"D2": {}})
    assert "egonorm bench paper.figure5" in single_and_multiple(report_data(tmp_path / "a")).missing
    tell(tmp_path / "b", alone("dg1:D1:D2", "rgb"), {"D2": {}})
    tell(tmp_path / "b", alone("dg1:D2:D1", "audio"), {"D1": {}})
    assert "different shifts" in single_and_multiple(report_data(tmp_path / "b")).missing
    tell(tmp_path / "c", plain_run("dg1:D1:D2"), {"D2": {}})
    assert "of one kind alone" in single_and_multiple(report_data(tmp_path / "c")).missing


def test_single_and_multiple_keeps_to_one_kind_of_network(tmp_path):
    run = plain_run("dg1:D1:D2")
    tell(tmp_path, run, {"D2": {"top1": 60.0}})
    tell(tmp_path, replace(run, net=replace(run.net, fusion="concat")), {"D2": {"top1": 90.0}})
    tell(tmp_path, replace(alone("dg1:D1:D2", "rgb"), net=run.net.widen(0.5).choose(("rgb",))), {"D2": {"top1": 95.0}})
    tell(tmp_path, alone("dg1:D1:D2", "audio"), {"D2": {"top1": 30.0}})
    found = lines(single_and_multiple(report_data(tmp_path)), shift="mean")
    assert {(row["stream"], row["value"]) for row in found} == {("RGB+Audio", 60.0), ("Audio", 30.0)}
    assert np.isfinite(found[0]["low"])
