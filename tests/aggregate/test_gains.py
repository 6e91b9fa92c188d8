"""The table's gain over Source Only, its p value and the support of the mean class accuracy."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from egonorm.aggregate.table import gain_cell, p_cell, render_table, summarise
from egonorm.methods import Rna
from egonorm.methods.hna import Hna
from egonorm.methods.ss import Ss
from egonorm.metrics import holm, paired_test
from egonorm.runs.results import parse_selector, read_rows, write_rows
from stored_runs import drawn_hits, plain_run, store


def tabulated(folders, selection="last-mean:9"):
    """The table of these folders."""
    return summarise(folders, parse_selector(selection), selection)


def cells_of(table):
    """Each row by its titles, as text."""
    return [dict(zip(table.header, map(str, row), strict=True)) for row in table.rows]


def store_pairs(out, methods, seeds, n=60, setting="dg1:D1:D2"):
    """Runs of Source Only and of methods, with the share of hits that each shall have; their folders and their hits on D2."""
    runs = [(plain_run(setting, method, seed), share) for method, share in methods for seed in seeds]
    runs += [(plain_run(setting, seed=seed), 0.4) for seed in seeds]
    hits = {run.name: drawn_hits(run, "D2", n, share) for run, share in runs}
    return [store(out, run, {"D1": hits[run.name], "D2": hits[run.name]}) for run, _ in runs], hits


def test_gains_over_source_only_with_their_test(tmp_path):
    folders, hits = store_pairs(tmp_path, [(Rna(), 0.6)], (0, 1))
    share = lambda method, seed: hits[plain_run(method=method, seed=seed).name].mean(axis=0)  # noqa: E731
    gains = np.array([share(Rna(), seed) - share(None, seed) for seed in (0, 1)])
    test, spread = paired_test([gains]), 100 * gains.mean(axis=1).std(ddof=1)
    low, high = (100 * end for end in test.interval())
    table = tabulated(folders)
    rows = {(row["method"], row["tested on"]): (row["gain"], row["p"]) for row in cells_of(table)}
    assert rows["rna", "D2"] == (f"{100 * test.mean:+.1f} ± {spread:.1f} [{low:+.1f}, {high:+.1f}]", f"{test.p:.2g}")
    assert {cells for line, cells in rows.items() if line != ("rna", "D2")} == {("", "")}, (
        "not where labels were learnt from"
    )
    assert "in the whole folder: dg1 1." in table.caption and "Holm" in table.caption and "0.05" in table.caption
    assert "‡" not in table.caption


def test_one_seed_is_marked_and_several_comparisons_are_corrected(tmp_path):
    methods = [(Rna(), 0.55), (Ss(), 0.45)]
    folders, hits = store_pairs(tmp_path, methods, (0,))
    of = lambda method: hits[plain_run(method=method).name].mean(axis=0)[None]  # noqa: E731
    p = holm([paired_test([of(method) - of(None)]).p for method, _ in methods])
    table = tabulated(folders)
    found = {row["method"]: row["p"] for row in cells_of(table) if row["tested on"] == "D2"}
    assert found == {"rna": f"{p[0]:.2g} ‡", "ss": f"{p[1]:.2g} ‡", "source-only": ""}
    assert "in the whole folder: dg1 2." in table.caption and "‡ one seed" in table.caption
    assert r"$\ddagger$" in render_table(table, "latex") and "‡" in render_table(table, "text")


def test_supervised_runs_are_compared_on_the_domain_they_learnt(tmp_path):
    runs = [plain_run("supervised:D1:D1", method) for method in (None, Rna())]
    folders = [store(tmp_path, run, {"D1": drawn_hits(run, "D1", 40, 0.5)}) for run in runs]
    assert [bool(row["p"]) for row in cells_of(tabulated(folders))] == [False, True]


def test_what_has_no_gain_is_told(tmp_path):
    folders, _ = store_pairs(tmp_path, [(Rna(), 0.6)], (0,))
    lonely = [plain_run("dg1:D1:D3", Rna()), plain_run(method=Ss(), seed=5)]
    folders += [store(tmp_path, run, {run.setting.target: [[1, 0]]}) for run in lonely]
    caption = tabulated(folders).caption
    assert "Lines without a gain: Source Only: seeds differ (1), no Source Only run (1)." in caption
    (folders[0] / "predictions" / "000010-D2.npz").unlink()
    table = tabulated(folders)
    assert "gain" not in table.header and "no predictions (1)" in table.caption and "Holm" not in table.caption


OF_ALL = (
    "Accuracies in percent; in brackets Wilson's 95 % interval over the n clips; after ± the standard deviation over seeds. "
    "|x| is the mean feature norm, delta the difference of two of them (Eq. 1). "
    "chance: one answer for all clips, that of the class with most clips."
)
OF_GAINS = (
    "gain is the top-1 minus that of Source Only with the same seeds on the same clips, in brackets its 95 % interval (for it "
    "alone) over new seeds and new clips at once; p is how probable a gain of that size, up or down, is at most if there is none "
    "(two-way test, seeds and clips at random: docs/statistics.md), after Holm's correction; the bound is 0.05."
)


def test_the_caption_says_all_that_the_numbers_need(tmp_path):
    uids, labels, net = [f"D2_{k}" for k in range(10)], np.arange(10) % 3, plain_run().net
    judged = [
        (plain_run(), 10),
        (plain_run(seed=1), 10),
        (plain_run(method=Rna()), 8),
        (plain_run(method=Rna(), seed=1), 10),
        (plain_run(method=Rna(), seed=2), 10),
        (plain_run(net=net.choose(("audio",))), 10),
        (plain_run(method=Ss(), seed=5), 10),
        (plain_run(method=Hna(), seed=6), 10),
        (plain_run("dgn:D1+D3:D2", Rna()), 10),
        (plain_run("dg1:D1:D3"), 10),
    ]
    folders = [
        store(tmp_path, run, {"D2": np.ones((1 + (run.seed == 1), n))}, uids[:n], labels[:n]) for run, n in judged
    ]
    folders.append(store(tmp_path, plain_run(seed=9), {"D2": [[1]]}, complete=False))
    table = tabulated(folders)
    assert table.caption == " ".join(
        [
            "Selection: last-mean:9 (checkpoints a run: 1, 2). Runs a line (seeds): 1, 2, 3.",
            OF_ALL,
            OF_GAINS,
            "Comparisons corrected together, by family of settings in the whole folder: dg1 2.",
            "Source Only with fewer streams or other fusion is compared with that with all streams and late fusion.",
            "‡ one seed: over new clips alone; where seeds differ, such an interval and p are worth nothing.",
            "Clips that not all compared runs were judged on do not count for gain and p: up to 2.",
            "Seeds that one side of a comparison has alone do not count for gain and p: 2 of them.",
            "Lines without a gain: Source Only: seeds differ (2), no Source Only run (1).",
            "Where runs of a line were judged on different numbers of clips, n is the smallest.",
            "Counted once: 1 times a run was judged where another of the same training and seed stands in the table.",
            "Unfinished runs left out: 1.",
        ]
    )
    rows = cells_of(table)
    assert [(row["method"], row["setting"], row["seeds"], row["n"], row["clips a class"]) for row in rows] == [
        ("source-only", "dg1:D1:D2", "2", "10", "3 to 4 (3 classes)"),
        ("source-only", "dg1:D1:D2", "1", "10", "3 to 4 (3 classes)"),
        ("rna", "dg1:D1:D2", "3", "8", "2 to 4 (3 classes)"),
        ("rna", "dgn:D1+D3:D2", "1", "10", "3 to 4 (3 classes)"),
        ("ss", "dg1:D1:D2", "1", "10", "3 to 4 (3 classes)"),
        ("hna", "dg1:D1:D2", "1", "10", "3 to 4 (3 classes)"),
    ]
    assert [row["config"].split()[0] for row in rows] == ["rgb+audio", "audio", *["rgb+audio"] * 4]
    titles = (
        "method, setting, tested on, config, seeds, n, chance, top-1 fused, gain, p, mean class, clips a class, |rgb|"
    )
    assert ", ".join(table.header) == titles


def test_the_caption_of_one_run_says_no_more_than_that(tmp_path):
    table = tabulated([store(tmp_path, plain_run(), {"D2": [[1, 0, 1]]})], "last")
    assert table.caption == f"Selection: last (checkpoints a run: 1). Runs a line (seeds): 1. {OF_ALL}"
    assert cells_of(table)[0]["mean class"] and "config" not in table.header


def test_without_source_only_the_table_has_no_gains(tmp_path):
    folders = [store(tmp_path, plain_run(method=Rna(), seed=seed), {"D2": [[1, 0, 1]]}) for seed in (0, 1)]
    table = tabulated(folders)
    assert not {"gain", "p"} & set(table.header) and "gain" not in table.caption


def test_the_classes_are_a_support_and_no_columns(tmp_path):
    labels = [0, 0, 0, 0, 0, 1, 1]
    table = tabulated([store(tmp_path, plain_run(), {"D2": np.ones((2, 7))}, labels=labels)])
    (row,) = cells_of(table)
    assert row["mean class"] == "100.0" and row["clips a class"] == "2 to 5 (2 classes)"
    assert not any("recall" in title for title in table.header)
    without = store(tmp_path, plain_run(method=Rna()), {"D2": np.ones((2, 7))}, labels=labels)
    write_rows(without, [row for row in read_rows(without) if not row.metric.startswith("recall")])
    rows = cells_of(tabulated(sorted(tmp_path.iterdir())))
    assert {row["method"]: row["clips a class"] for row in rows} == {"rna": "", "source-only": "2 to 5 (2 classes)"}


def test_csv_has_a_number_a_column(tmp_path):
    folders, _ = store_pairs(tmp_path, [(Hna(radius=3.0), 0.7)], (0, 1))
    rows = list(csv.DictReader(io.StringIO(render_table(tabulated(folders), "csv"))))
    row = next(row for row in rows if row["method"] == "hna" and row["tested on"] == "D2")
    assert float(row["gain low"]) < float(row["gain"]) < float(row["gain high"])
    assert float(row["gain sd"]) >= 0 and 0 < float(row["p"]) <= 1


def test_a_gain_of_nothing_has_no_sign(tmp_path):
    right = np.array([[1, 1, 0, 0]])
    folders = [store(tmp_path, plain_run(method=method), {"D2": right}) for method in (None, Rna())]
    row = cells_of(tabulated(folders))[1]
    assert row["gain"] == "+0.0 [-60.2, +60.2]" and row["p"] == "1 ‡"
    assert (gain_cell(None), p_cell(None)) == ("", "")


@pytest.mark.parametrize("setting", ["uda:D1:D2", "tta:D1:D2"])
def test_settings_that_show_the_target_are_compared_with_those_that_do_not(tmp_path, setting):
    folders, _ = store_pairs(tmp_path, [], (0,))
    run = replace(plain_run(method=Rna()), setting=plain_run(setting).setting)
    folders.append(store(tmp_path, run, {"D2": drawn_hits(run, "D2", 60, 0.6)}))
    assert [row["method"] for row in cells_of(tabulated(folders)) if row["p"]] == ["rna"]
