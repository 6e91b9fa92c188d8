"""Our runs beside the paper's numbers: which run is which system, what a mean needs, and what is said of the rest."""

import atexit
import csv
import os
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import fmean, stdev
from tempfile import mkdtemp

import numpy as np
import pytest
from test_gains import OF_GAINS

from egonorm import cli
from egonorm.aggregate.aggregate import plain
from egonorm.aggregate.paper_comparison import against_paper
from egonorm.aggregate.paper_systems import shared_base, unlike_paper
from egonorm.aggregate.table import render_table
from egonorm.core import RunError
from egonorm.methods import Rna, SourceOnly
from egonorm.methods.hna import Hna
from egonorm.methods.rna_grl import RnaGrl
from egonorm.methods.ss import Ss
from egonorm.metrics import accuracy_interval, holm, paired_test
from egonorm.runs.config import ANYWHERE
from egonorm.runs.presets import paper
from egonorm.runs.results import find_runs, parse_selector, read_records
from egonorm.sweeps.paper import reported, suites
from refusals import refused
from stored_runs import drawn_hits, labels_of, plain_run, store, store_suite

SIZES = {"D1": 40, "D2": 60, "D3": 50}
FAMILIES = "dg1 60, dg1 means 10, dgn 24, dgn means 8, supervised means 6, uda 54, uda means 9"
ACCURACY = {"source-only": 0.4, "rna": 0.6, "others": 0.45}


def compared(out, selection="last-mean:9"):
    """The table, and its rows by table, heading, system and shift, as text."""
    table = against_paper(find_runs(out), parse_selector(selection), selection)
    rows = [dict(zip(table.header, map(str, row), strict=True)) for row in table.rows]
    return table, {(r["table"], r["setting"], r["system"], r["shift"]): r for r in rows}


@cache
def everything() -> Path:
    """Every run of the paper with two seeds; stored once for a process and those that it forks, as `make mutants` does."""
    out, maker = Path(mkdtemp()), os.getpid()
    atexit.register(lambda: os.getpid() == maker and shutil.rmtree(out))
    store_suite(out, suites(("rgb", "audio"))["paper.all"], SIZES, (0, 1), ACCURACY)
    return out


@pytest.fixture(scope="module")
def table_and_rows():
    """What `compared` says of them."""
    return compared(everything())


def test_a_line_for_each_number_of_the_paper_in_its_order(table_and_rows):
    table, rows = table_and_rows
    assert list(rows) == list(reported())
    assert all(row["ours"] and row["n"] and row["seeds"] == "2" for row in rows.values())
    assert [float(row["paper"].removesuffix(" †")) for row in rows.values()] == [x.top1 for x in reported().values()]
    baselines = {"Source Only", "Deep All", "Baseline", "RGB+Audio"}
    assert all(bool(row["p"]) == (key[2] not in baselines) for key, row in rows.items())
    assert "no number for" not in table.caption and "Unfinished" not in table.caption


def test_errata_are_marked_and_explained(table_and_rows):
    table, rows = table_and_rows
    row = rows["Table 1 (left)", "single-source DG", "Align. Only", "D1->D3"]
    assert row["paper"] == "33.75 †" and row["remark"] == "† printed value equals the SS row"
    assert "† see the remark" in table.caption
    assert r"33.75 $\dagger$" in render_table(table, "latex") and "33.75 †" in render_table(table, "markdown")
    assert all((" †" in row["paper"]) == bool(reported()[key].erratum) for key, row in rows.items())


def hits_of(setting, method, seed):
    """The hits on the target, the mean over the checkpoints."""
    run = plain_run(setting, method, seed)
    share = ACCURACY.get(run.method.name(), ACCURACY["others"])
    return drawn_hits(run, run.setting.target, SIZES[run.setting.target], share).mean(axis=0)


def test_one_shift_by_hand(table_and_rows):
    _, rows = table_and_rows
    row = rows["Table 1 (left)", "single-source DG", "RNA-Net", "D1->D2"]
    ours = [100 * hits_of("dg1:D1:D2", Rna(), seed).mean() for seed in (0, 1)]
    low, high = accuracy_interval(fmean(ours), 60)
    assert row["ours"] == f"{fmean(ours):.2f} ± {stdev(ours):.1f} [{low:.0f}, {high:.0f}]"
    assert row["ours - paper"] == f"{fmean(ours) - 45.01:+.2f}" and row["n"] == "60"


def test_a_mean_and_its_test_by_hand(table_and_rows):
    _, rows = table_and_rows
    shifts = [(s, t) for s in SIZES for t in SIZES if s != t]
    of = lambda s, t, method, seed: hits_of(f"dg1:{s}:{t}", method, seed)  # noqa: E731
    ours = [100 * fmean(of(s, t, Rna(), seed).mean() for s, t in shifts) for seed in (0, 1)]
    gains = [
        np.mean([[of(s, t, Rna(), seed) - of(s, t, None, seed) for seed in (0, 1)] for s in SIZES if s != t], axis=0)
        for t in SIZES
    ]
    test = paired_test(gains, (1 / 3,) * 3)
    row = rows["Table 1 (left)", "single-source DG", "RNA-Net", "Mean"]
    assert row["ours"].startswith(f"{fmean(ours):.2f} ± {stdev(ours):.1f} [") and row["n"] == "150"
    assert row["gain"].startswith(f"{100 * test.mean:+.1f} ± ")
    block = [r for key, r in rows.items() if key[0] == "Table 1 (left)" and key[3] == "Mean" and r["p"]]
    assert len(block) == 5 and min(float(r["p"]) for r in block) == float(row["p"]) == float(f"{10 * test.p:.2g}")


def test_adaptation_is_tested_against_single_source_generalisation(table_and_rows):
    _, rows = table_and_rows
    gains = [hits_of("uda:D1:D2", RnaGrl(), seed) - hits_of("dg1:D1:D2", None, seed) for seed in (0, 1)]
    row = rows["Table 2", "UDA", "RNA-Net+GRL", "D1->D2"]
    assert row["gain"].startswith(f"{100 * np.mean(gains):+.1f} ± ")


def test_a_familys_shifts_and_its_means_are_corrected_apart_whatever_the_table(table_and_rows):
    table, rows = table_and_rows
    assert f"in the whole folder: {FAMILIES}." in table.caption
    once = paired_test([np.array([hits_of("dg1:D1:D2", Rna(), s) - hits_of("dg1:D1:D2", None, s) for s in (0, 1)])]).p
    shown = float(rows["Table 1 (left)", "single-source DG", "RNA-Net", "D1->D2"]["p"])
    assert once <= shown <= min(1.0, 60 * once) * 1.05 and holm([once]) == (pytest.approx(once),)
    same = [
        row["p"] for key, row in rows.items() if key[2] == "RNA-Net" and key[3] == "Mean" and "S" in key[1][:1].upper()
    ]
    assert len(same) == 3 and same[0] == same[2]


def test_rows_with_and_without_runs(tmp_path):
    source_only = [[1, 0, 0, 0], [0, 1, 1, 0]]
    rna = [[1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]
    for method, sides in ((None, source_only), (Rna(), rna)):
        for seed, hits in enumerate(sides):
            store(tmp_path, plain_run(method=method, seed=seed), {"D2": [hits]})
    table, rows = compared(tmp_path)
    key = {"table": "Table 1 (left)", "setting": "single-source DG", "system": "RNA-Net", "shift": "D1->D2"}
    low, high = accuracy_interval(75.0, 4)
    test = paired_test([np.array(rna[:2]) - np.array(source_only, dtype=float)])
    ends = ", ".join(f"{100 * end:+.1f}" for end in test.interval())
    assert rows[tuple(key.values())] == key | {
        "paper": "45.01",
        "ours": f"75.00 ± 25.0 [{low:.0f}, {high:.0f}]",
        "chance": "50.0",
        "ours - paper": "+29.99",
        "seeds": "3",
        "n": "4",
        "gain": f"+25.0 ± 0.0 [{ends}]",
        "p": f"{test.p:.2g}",
        "remark": "gain on seeds 0, 1",
    }
    key |= {"system": "Align. Only", "shift": "D1->D3"}
    blank = dict.fromkeys(("ours", "ours - paper", "seeds", "n", "chance", "gain", "p"), "")
    remark = "no run; † printed value equals the SS row"
    assert rows[tuple(key.values())] == key | blank | {"paper": "33.75 †", "remark": remark}
    assert all((" †" in row["paper"]) == bool(reported()[key].erratum) for key, row in rows.items())
    family = "Comparisons corrected together, by family of settings in the whole folder: dg1 1."
    unmatched = "Seeds that one side of a comparison has alone do not count for gain and p: 1 of them."
    assert table.caption == " ".join([NOT_THE_PAPERS, about("last-mean:9"), OF_GAINS, family, unmatched])


NOT_THE_PAPERS = (
    "Not the paper's: data (kitchens), network, training, judgement, first weights (random). The numbers of the two cannot be "
    "compared; what can is which systems gain."
)


def about(selection):
    """What a caption says of the two sides."""
    return (
        f"Selection: {selection}. Paper: top-1 in percent of arXiv 2106.01689, which gives neither seeds nor deviations; † see "
        "the remark. Ours: the mean over seeds, ± their standard deviation, in brackets the 95 % interval over the n clips "
        "(Wilson; for a mean the clips that shifts share count once). chance: one answer for all clips, that of the class "
        "with most clips."
    )


def test_numbers_of_other_data_are_not_comparable_and_it_is_said_first(table_and_rows):
    table, _ = table_and_rows
    assert table.caption == " ".join(
        [
            NOT_THE_PAPERS,
            about("last-mean:9"),
            OF_GAINS,
            f"Comparisons corrected together, by family of settings in the whole folder: {FAMILIES}.",
            "Source Only with fewer streams or other fusion is compared with that with all streams and late fusion.",
        ]
    )
    titles = "table, setting, system, shift, paper, ours, ours - paper, seeds, n, chance, gain, p, remark"
    assert ", ".join(table.header) == titles


@pytest.mark.parametrize(
    ("unlike", "said"),
    [
        ({}, ""),
        ({"data": "folder:/epic55:x"}, "data (folder)"),
        ({"precision": "bfloat16"}, "precision (bfloat16)"),
        ({"optim": {"steps": 7}}, "training"),
        ({"evaluation": {"num_windows": 2}}, "judgement"),
        ({"weights": ("rgb",)}, "first weights (random)"),
        ({"streams": ("audio", "rgb")}, "network"),
        ({"streams": ("rgb",)}, "network"),
        ({"width": 0.5, "precision": "bfloat16"}, "network, precision (bfloat16)"),
    ],
)
def test_the_papers_own_data_and_preset_and_what_is_unlike_them(unlike, said):
    preset = paper()
    net = preset.net.choose(unlike.get("streams", ("rgb", "audio"))).widen(unlike.get("width", 1.0))
    for name in unlike.get("weights", net.streams):
        net = net.start_from(name, f"/w/{name}.pt", "ab" * 32)
    run = plain_run(
        data=unlike.get("data", "epic55:/epic"),
        net=net,
        optim=replace(preset.optim, **unlike.get("optim", {})),
        evaluation=replace(preset.evaluation, **unlike.get("evaluation", {})),
        precision=unlike.get("precision", "float32"),
    )
    assert unlike_paper(run) == (said.split(", ") if said else [])


def test_a_run_like_the_papers_is_said_to_be(tmp_path):
    preset = paper()
    net = preset.net.start_from("rgb", "/w/rgb.pt", None).start_from("audio", "/w/audio.pt", None)
    run = plain_run(data="epic55:/epic", net=net, optim=preset.optim, evaluation=preset.evaluation)
    store(tmp_path, run, {"D2": [[1, 0]]})
    table, _ = compared(tmp_path, "last")
    verdict = "Data, network, training and judgement are the paper's, as far as it tells them."
    assert table.caption == f"{verdict} {about('last')}"


def test_a_partial_folder(tmp_path):
    for setting, method, seed in (
        ("dg1:D1:D2", None, 0),
        ("dg1:D1:D2", None, 1),
        ("dg1:D1:D3", None, 0),
        ("dg1:D1:D2", Rna(), 0),
        ("dg1:D1:D3", Rna(), 0),
        ("dg1:D2:D3", Rna(), 0),
        ("dg1:D1:D2", Ss(), 2),
        ("dgn:D1+D2:D3", Rna(), 0),
        ("dgn:D1+D3:D2", Rna(), 0),
        ("dgn:D2+D3:D1", Rna(), 1),
        ("dg1:D1:D2", Rna(weight=7.0), 0),
        ("dg1:D1:D2", Hna(3.0), 0),
        ("dg1:D1:D2", Hna(3.0), 1),
        ("dg1:D1:D3", Hna(3.0), 0),
        ("dg1:D1:D3", Hna(5.0), 0),
    ):
        run = plain_run(setting, method, seed)
        store(tmp_path, run, {run.setting.target: drawn_hits(run, run.setting.target, 30, 0.5)})
    unfinished = plain_run("dg1:D3:D1", Rna())
    store(tmp_path, unfinished, {"D1": [[1]]}, complete=False)
    table, rows = compared(tmp_path)
    left = lambda system, shift: rows["Table 1 (left)", "single-source DG", system, shift]  # noqa: E731
    assert left("RNA-Net", "D1->D2")["p"].endswith("‡") and left("RNA-Net", "D1->D2")["remark"] == ""
    assert left("RNA-Net", "D2->D3")["ours"] and left("RNA-Net", "D2->D3")["remark"] == "no Source Only run"
    assert left("SS", "D1->D2")["ours"] and left("SS", "D1->D2")["remark"] == "Source Only: seeds differ"
    assert left("RNA-Net", "D3->D1")["remark"] == "no run" and not left("RNA-Net", "D3->D1")["ours"]
    assert left("RNA-Net", "Mean")["remark"] == "3 of 6 shifts" and not left("RNA-Net", "Mean")["ours"]
    right = rows["Table 1 (right)", "multi-source DG", "RNA-Net", "Mean"]
    assert right["remark"] == "seeds differ" and not right["ours"] and not right["ours - paper"]
    assert rows["Table 3", "Single-DG", "HNA", "Mean"]["remark"].startswith("1 of 6 shifts; several runs a seed (")
    said = "Runs that the paper has no number for: hna (2), rna:weight=7 (1). Unfinished runs left out: 1."
    assert table.caption.endswith(said)
    assert {row["remark"] for key, row in rows.items() if key[0] == "Table 2"} == {"no run"}


def test_the_radius_of_hna_is_free_but_one_for_each_seed(tmp_path):
    for k, setting in enumerate(str(s) for s in suites(("rgb", "audio"))["paper.table3"][1].family(SIZES)):
        run = plain_run(setting, Hna(5.0 + k))
        store(tmp_path, run, {run.setting.target: [[1, 0, 1]]})
    _, rows = compared(tmp_path)
    assert rows["Table 3", "Single-DG", "HNA", "Mean"]["ours"].startswith("66.67")
    store(tmp_path, plain_run("dg1:D1:D2", Hna(99.0)), {"D2": [[1, 0, 1]]})
    _, rows = compared(tmp_path)
    row = rows["Table 3", "Single-DG", "HNA", "Mean"]
    names = [replace(plain(plain_run()), method=Hna(radius)).name for radius in (5.0, 99.0)]
    digits = sorted(name.rpartition("-")[2] for name in names)
    assert not row["ours"] and row["remark"] == f"5 of 6 shifts; several runs a seed ({', '.join(digits)})"


def test_shifts_with_different_radii_are_no_mean_where_a_radius_tells_configurations_apart(tmp_path):
    for setting in suites(("rgb", "audio"))["paper.table3"][1].family(SIZES):
        run = plain_run(str(setting), Hna(7.0 if str(setting) == "dg1:D3:D2" else 5.0))
        store(tmp_path, run, {setting.target: [[1, 0, 1]]})
    for radius in (5.0, 7.0):
        store(tmp_path, plain_run("dg1:D1:D4", Hna(radius)), {"D4": [[1, 0, 1]]})
    table, rows = compared(tmp_path)
    row = rows["Table 3", "Single-DG", "HNA", "Mean"]
    assert (row["ours"], row["remark"]) == ("", "several configurations")
    assert table.caption.endswith("Runs that the paper has no number for: hna (2).")


def test_seeds_with_different_radii_are_no_line(tmp_path):
    store(tmp_path, plain_run("dg1:D1:D2"), {"D2": [[1, 0, 1]]})
    for seed, radius in enumerate((11.0, 12.0)):
        run = replace(plain_run("dg1:D1:D2", Hna(radius)), seed=seed)
        store(tmp_path, run, {run.setting.target: [[1, 0, 1]]})
    _, rows = compared(tmp_path)
    assert "several values of radius (11, 12)" in rows["Table 3", "Single-DG", "HNA", "Mean"]["remark"]


def test_streams_and_fusion_make_the_system(tmp_path):
    base = plain_run()
    runs = {
        "RGB": replace(base, net=base.net.choose(("rgb",))),
        "RGB+Audio": base,
        "Fusion (mid-level)": replace(base, net=replace(base.net, fusion="concat")),
    }
    for k, run in enumerate(runs.values()):
        for setting in suites(("rgb", "audio"))["paper.table3"][1].family(SIZES):
            run = replace(run, setting=setting)
            right = np.arange(20) < 5 * (k + 1)
            store(tmp_path, run, {setting.target: [right]}, labels=labels_of(setting.target, 20))
    _, rows = compared(tmp_path)
    means = {key[2]: row["ours"].split()[0] for key, row in rows.items() if row["ours"] and key[3] == "Mean"}
    assert means == {
        "Source Only": "50.00",
        "RGB": "25.00",
        "RGB+Audio": "50.00",
        "Baseline": "50.00",
        "Fusion (mid-level)": "75.00",
    }
    assert rows["Figure 5", "source-only", "RGB", "Mean"]["gain"].startswith("-25.0")
    assert rows["Figure 5", "source-only", "Audio", "Mean"]["remark"] == "no run"


def test_systems_of_some_streams_are_of_the_sweep_without_the_blocks_of_the_others(tmp_path):
    base = plain_run()
    base = replace(base, optim=replace(base.optim, lr_factors={"rgb.encoder": 0.1}, frozen=("audio.encoder",)))
    parts = suites(("rgb", "audio"))["paper.figure5"]
    store_suite(tmp_path, parts, SIZES, (0,), ACCURACY, base)
    _, rows = compared(tmp_path)
    means = {key[2] for key, row in rows.items() if row["ours"] and key[:2] == ("Figure 5", "source-only")}
    assert means == {"RGB", "Audio", "RGB+Audio"}


KINDS = "the same data, network, training and precision in all runs"
OWN_FOLDERS = "Move the runs of each kind to a folder of their own."


def test_runs_that_are_not_one_sweep_are_refused(tmp_path):
    optim = replace(plain_run().optim, lr_factors={"rgb.encoder": 0.1}, frozen=("audio.encoder",), micro_batch=2)
    runs = [
        plain_run(),
        plain_run(seed=1),
        plain_run(optim=replace(optim, optimizer="adamw")),
        plain_run(data="kitchens:/other", precision="bfloat16"),
    ]
    names = [store(tmp_path, run, {"D2": [[1]]}).name for run in runs]
    usual, judged = "240 steps of 16 clips", "5 windows, checkpoints every 5"
    unusual = "2 at a time at 0.03, adamw, lr of rgb.encoder times 0.1, frozen audio.encoder"
    kinds = {
        f"kitchens:/data/kitchens, {usual} at 0.03, {judged}, float32": f"2 runs, such as {names[0]}",
        f"kitchens:/data/kitchens, {usual}, {unusual}, {judged}, float32": f"1 runs, such as {names[2]}",
        f"kitchens:/other, {usual} at 0.03, {judged}, bfloat16": f"1 runs, such as {names[3]}",
    }
    told = [f"{kind}: {some}" for kind, some in kinds.items()]
    for left_out in ([], [2]):
        got = "; ".join(text for k, text in enumerate(told) if k + 1 not in left_out)
        folders = [tmp_path / name for k, name in enumerate(names) if k not in left_out]
        with refused(RunError, "These runs are not one sweep.", got, KINDS, OWN_FOLDERS):
            against_paper(folders, parse_selector("last"), "last")


def test_what_runs_of_a_sweep_have_in_common(tmp_path):
    late = plain_run(method=Rna(), seed=3)
    early = replace(late, net=replace(late.net, fusion="concat"))
    folders = [
        store(tmp_path, run, {"D2": [[1]]}) for run in (early, late, replace(late, net=late.net.choose(("rgb",))))
    ]
    base_of = lambda some: shared_base(read_records(some, parse_selector("last"))[0])  # noqa: E731
    bare = {"setting": ANYWHERE, "method": SourceOnly(), "seed": 0}
    assert base_of(folders[:1]) == replace(early, **bare) and base_of(folders) == replace(late, **bare)


@pytest.mark.parametrize("first", [0, 1])
def test_two_networks_of_a_stream_are_refused(tmp_path, first):
    run = plain_run(method=Rna())
    runs = [plain_run(), replace(run, net=run.net.widen(0.5))]
    runs[first] = replace(runs[first], net=runs[first].net.choose(("rgb",)))
    names = [store(tmp_path, one, {"D2": [[1]]}).name for one in runs]
    got = f"two networks for rgb; one of them in {names[first]}"
    with refused(RunError, "These runs are not one sweep.", got, KINDS, OWN_FOLDERS):
        compared(tmp_path)


def test_other_domains_than_the_papers_are_refused(tmp_path):
    for setting in ("dg1:home:office", "dg1:car:office"):
        store(tmp_path, plain_run(setting), {"office": [[1]]})
    with refused(
        RunError,
        "No run belongs to the paper's comparison.",
        "dg1:car:office, dg1:home:office",
        "systems of the paper in settings of D1, D2 and D3, such as dg1:D1:D2",
        "For runs in other places give egonorm table without --against; the paper's are made by egonorm bench paper.table1 "
        "on places called D1, D2 and D3.",
    ):
        compared(tmp_path)


def test_by_hand(tmp_path, capsys):
    for method in (None, Rna()):
        store(tmp_path, plain_run(method=method), {"D2": [[1, 0, 0], [1, 1, method is not None]]})
    cli.main(["table", str(tmp_path), "--against", "paper", "--select", "last", "--format", "csv"])
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[0].startswith("table,setting,system,shift,paper,paper mark,ours,") and len(lines) == 1 + len(
        reported()
    )
    assert lines[0].endswith("seeds,n,chance,gain,gain sd,gain low,gain high,p,p mark,remark")
    (row,) = (row for row in csv.DictReader(lines) if row["system"] == "RNA-Net" and row["ours"])
    assert (row["shift"], row["ours"], row["n"], row["seeds"]) == ("D1->D2", "100.0", "3", "1")
