"""Figure 6: pooled norms by hand, what is left out, and any number of modalities."""

from dataclasses import replace

import numpy as np
import pytest
from told_runs import lines, report_data, tell

from egonorm.methods import Rna, SourceOnly
from egonorm.report.figures.norm_histograms import norm_histograms
from egonorm.runs.config import predictions_of
from stored_runs import plain_run


def tell_pair(out, norms, seeds=(0,), streams=None):
    """Both methods, judged on the source and on the target; a seed adds its number to every norm."""
    folders = []
    for method in (SourceOnly(), Rna()):
        for seed in seeds:
            run = plain_run("dg1:D1:D2", method, seed)
            run = replace(run, net=replace(run.net, streams=streams)) if streams else run
            own = {domain: {m: np.full(20, x + seed) for m, x in norms.items()} for domain in ("D1", "D2")}
            folders.append(tell(out, run, {"D1": {}, "D2": {}}, norms=own))
    return folders


def shown(out):
    data = report_data(out)
    return norm_histograms(data.comparisons("rna")[-1], data)


def test_norms_by_hand(tmp_path):
    tell_pair(tmp_path, {"rgb": 3.0, "audio": 7.0}, seeds=(0, 1))
    exhibit = shown(tmp_path)
    assert exhibit.figure is not None and len(exhibit.figure.axes) == 4
    for domain in ("D1", "D2"):
        for side in ("Source Only", "RNA-Net"):
            rgb = lines(exhibit, domain=domain, series=side, modality="rgb")
            assert sum(row["clips"] for row in rgb) == 40 and sum(row["percent of clips"] for row in rgb) == 100
            assert {row["mean of all clips"] for row in rgb} == {3.5}
            assert [(row["from"], row["to"]) for row in rgb if row["clips"]] == [(3.0, 3.25), (4.0, 4.25)]
    assert "D2, RNA-Net: mean norms rgb 3.50, audio 7.50, delta rgb-audio -4.00." in exhibit.text
    assert (
        "Trained on D1." in exhibit.caption and "all seeds (2)" in exhibit.caption and "last-mean:9" in exhibit.caption
    )
    drawn = [text.get_text() for axes in exhibit.figure.axes for text in axes.texts]
    assert drawn == ["delta rgb-audio: -4.00"] * 4


@pytest.mark.parametrize("number", [1, 3])
def test_any_number_of_modalities(tmp_path, number):
    stream = next(iter(plain_run().net.streams.values()))
    names = ("rgb", "audio", "imu")[:number]
    tell_pair(tmp_path, {name: 2.0 + k for k, name in enumerate(names)}, streams=dict.fromkeys(names, stream))
    exhibit = shown(tmp_path)
    assert {row["modality"] for row in lines(exhibit)} == set(names)
    assert exhibit.text.count("delta") == 4 * (0, 0, 1, 3)[number]


def test_what_is_gone_or_broken_is_left_out_and_named(tmp_path):
    folders = tell_pair(tmp_path, {"rgb": 3.0, "audio": 7.0})
    predictions_of(folders[0], 10, "D1").unlink()
    exhibit = shown(tmp_path)
    assert {row["domain"] for row in lines(exhibit)} == {"D2"} and "missing or broken: D1" in exhibit.caption
    with np.load(path := predictions_of(folders[1], 20, "D2")) as arrays:
        np.savez(path, **{name: x for name, x in arrays.items() if name != "norms/rgb"})
    exhibit = shown(tmp_path)
    assert exhibit.figure is None and not exhibit.rows and "egonorm test RUN --domain" in exhibit.missing
    assert folders[0].name in exhibit.missing and folders[1].name in exhibit.missing


def test_norms_of_nothing_are_drawn(tmp_path):
    tell_pair(tmp_path, {"rgb": 0.0, "audio": 0.0})
    assert shown(tmp_path).figure is not None
