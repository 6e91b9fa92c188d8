"""The grid of results, what is said first, and how it was made: from stored rows and predictions."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from egonorm.core import RunError
from egonorm.methods import Rna, SourceOnly
from egonorm.methods.align_only import AlignOnly
from egonorm.report.build import compose, of_family
from egonorm.report.data.paper import errata
from egonorm.report.data.predictions import changes, judged
from egonorm.report.data.runs import Shift, read_report_data
from egonorm.report.page.model import Facts, Grid, Note
from egonorm.report.page.write import write_page
from egonorm.report.sections.errors import mistakes
from egonorm.report.sections.overview import summary
from egonorm.report.sections.provenance import making
from egonorm.report.sections.results import find_results, results
from egonorm.report.sections.saliency import looks
from egonorm.runs.config import predictions_of
from egonorm.runs.results import find_runs, last_mean
from egonorm.sweeps.paper import suites
from stored_runs import drawn_hits, plain_run, store, store_suite

SIZES = {"D1": 60, "D2": 80, "D3": 50}


def report_data(out, selection="last-mean:9"):
    return read_report_data(find_runs(out), last_mean(9), selection)


def grid_of(data, family):
    return results(data, family, find_results(data, family))


def lead_of(data):
    comparisons = [comparison for family in data.families for comparison in of_family(data.comparisons("rna"), family)]
    numbers = {family: find_results(data, family) for family in data.families}
    return summary(data, "rna", comparisons, numbers, dict.fromkeys(comparisons, ()))


def store_shift(out, right, setting="dg1:D1:D2", seeds=(0,), **changed):
    """Runs of each method on one shift, with the given hits on the target's clips."""
    target = setting.rpartition(":")[2]
    for method, hits in right.items():
        for seed in seeds:
            store(out, plain_run(setting, method, seed, **changed), {target: [hits, hits]})


def texts(grid):
    return [[cell.text for cell in row] for row in grid.rows]


def test_one_shift_by_hand(tmp_path):
    half, most = np.arange(20) < 10, np.arange(20) < 18
    store_shift(tmp_path, {SourceOnly(): half, Rna(): most})
    grid = grid_of(report_data(tmp_path), "dg1")
    assert grid.header == ("method", "D1 → D2") and texts(grid) == [["Source Only", "50.0"], ["RNA-Net", "90.0"]]
    reference, rna = (row[1] for row in grid.rows)
    assert rna.lines[1].startswith("gain +40.0 [") and rna.mark == "best" and rna.value == pytest.approx(90)
    assert (
        reference.mark == ""
        and reference.lines == ("[30, 70]", "chance 35.0", "paper 39.03")
        and rna.lines[-1] == "paper 45.01"
    )
    assert "With one seed" in grid.caption and "last-mean:9" in grid.caption
    (told,) = (
        part for part in compose(report_data(tmp_path), "rna").tabs[0].sections[0].parts if isinstance(part, Note)
    )
    assert told.text.startswith("Not the paper's: data (kitchens)")


def test_what_cannot_be_told_from_the_best_is_marked(tmp_path):
    most, fewer, none = (np.arange(20) < k for k in (18, 17, 0))
    store_shift(tmp_path, {SourceOnly(): fewer, Rna(): most, AlignOnly(): none})
    assert [row[1].mark for row in grid_of(report_data(tmp_path), "dg1").rows] == ["tied", "best", ""]


def test_a_mean_needs_every_shift_with_the_same_seeds(tmp_path):
    right = np.arange(20) < 10
    store_shift(tmp_path, {SourceOnly(): right, Rna(): right}, "dg1:D1:D2", (0, 1))
    store_shift(tmp_path, {SourceOnly(): right}, "dg1:D1:D3", (0, 1))
    store_shift(tmp_path, {Rna(): right}, "dg1:D1:D3", (0,))
    grid = grid_of(report_data(tmp_path), "dg1")
    assert grid.header == ("method", "D1 → D2", "D1 → D3", "mean")
    assert texts(grid) == [["Source Only", *["50.0 ± 0.0"] * 3], ["RNA-Net", "50.0 ± 0.0", "50.0", ""]]


def test_a_domain_that_was_judged_later_is_a_shift_of_its_own(tmp_path):
    for method in (SourceOnly(), Rna()):
        store(tmp_path, plain_run("dg1:D1:D2", method), {d: [np.arange(20) < 10] for d in ("D1", "D2", "D3")})
    grid = grid_of(report_data(tmp_path), "dg1")
    assert grid.header == ("method", "D1 → D2", "D1 → D3", "mean")
    assert [row[2].lines[-1] for row in grid.rows] == ["paper 39.17", "paper 44.62"]


@pytest.mark.slow
def test_numbers_agree_with_the_csv_and_every_family_has_a_grid(tmp_path):
    parts = suites(("rgb", "audio"))["paper.table1"] + suites(("rgb", "audio"))["paper.table2"]
    store_suite(tmp_path, parts, SIZES, (0, 1), {"source-only": 0.5, "others": 0.6})
    data = report_data(tmp_path)
    assert data.families == ("dg1", "dgn", "uda")
    for family in data.families:
        grid = grid_of(data, family)
        lines = list(csv.DictReader(io.StringIO(grid.csv())))
        cells = {
            (row[0].text, title): cell
            for row in grid.rows
            for title, cell in zip(grid.header[1:], row[1:], strict=True)
        }
        assert len(lines) == len(cells)
        for line in lines:
            cell = cells[line["method"], line["shift"]]
            assert cell.value == float(line["top1"]) and cell.mark == line["mark"]
            assert line["seeds"] == "0 1" and float(line["low"]) < cell.value < float(line["high"])
    uda = grid_of(data, "uda")
    assert uda.rows[0][0].text == "Source Only" and uda.rows[0][1].lines[-1] == "paper 39.03"
    assert all("gain" in cell.lines[1] for row in uda.rows[1:] for cell in row[1:])


def test_other_networks_have_lines_of_their_own_beside_their_own_source_only(tmp_path):
    concat = replace(plain_run().net, fusion="concat")
    store_shift(tmp_path, {SourceOnly(): np.arange(20) < 10, Rna(): np.arange(20) < 10})
    store_shift(tmp_path, {SourceOnly(): np.arange(20) < 5, Rna(): np.arange(20) < 15}, net=concat)
    grid = grid_of(report_data(tmp_path), "dg1")
    assert [row[0].text for row in grid.rows] == [
        f"{m} ({f})" for m in ("Source Only", "RNA-Net") for f in ("sum", "concat")
    ]
    assert grid.rows[3][1].lines[1].startswith("gain +50.0 [")
    (comparison,) = report_data(tmp_path).comparisons("rna")
    assert comparison.with_method[0].run.net.fusion == comparison.without[0].run.net.fusion == "sum"


def test_missing_predictions_leave_the_accuracies_and_broken_ones_do_not(tmp_path):
    right = np.arange(20) < 10
    store_shift(tmp_path, {SourceOnly(): right, Rna(): right, AlignOnly(): right})
    for path in tmp_path.glob("rna*/predictions/*"):
        path.unlink()
    for path in tmp_path.glob("align*/predictions/*"):
        path.write_bytes(b"nonsense")
    data = report_data(tmp_path)
    grid = grid_of(data, "dg1")
    assert texts(grid) == [["Source Only", "50.0"], ["RNA-Net", "50.0"]]
    assert grid.rows[1][1].lines[1] == "no gain: no predictions"
    assert any("Left out: " in text and "000010-D2.npz cannot be read" in text for text in data.notes)


def test_pairs_have_the_same_seeds_in_the_same_order(tmp_path):
    right = np.arange(20) < 10
    store_shift(tmp_path, {SourceOnly(): right}, seeds=(2, 0, 1))
    store_shift(tmp_path, {Rna(): right}, seeds=(1, 2, 5))
    (comparison,) = report_data(tmp_path).comparisons("rna")
    assert (
        comparison.shift == Shift("dg1", ("D1",), "D2", "D2")
        and comparison.shift.is_unseen
        and comparison.shift.title == "D1 → D2"
    )
    assert [[record.run.seed for record in side] for side in comparison.sides.values()] == [[1, 2], [1, 2]]
    assert comparison.name == "dg1-D1-D2-rna"


def test_a_later_domain_of_uda_names_the_target_that_was_seen(tmp_path):
    for method in (SourceOnly(), Rna()):
        store(tmp_path, plain_run("uda:D1:D2", method), {d: [np.arange(20) < 10] for d in ("D1", "D2", "D3")})
    titles = [comparison.shift.title for comparison in report_data(tmp_path).comparisons("rna")]
    assert titles == ["D1 → D1", "D1 → D2", "D1 → D3 (target D2)"]


def test_whose_answer_changed(tmp_path):
    store_shift(tmp_path, {SourceOnly(): [1, 1, 0, 0, 0], Rna(): [1, 0, 1, 1, 0]})
    data = report_data(tmp_path)
    (comparison,) = data.comparisons("rna")
    found = changes(comparison, data)
    assert (found.num_clips, found.newly_right, found.newly_wrong) == (5, ("D2_0002", "D2_0003"), ("D2_0001",))
    assert found.other_answer == ()
    (first,) = lead_of(data)
    assert (
        "Trained in D1, tested in D2: RNA-Net 60.0 % against 40.0 % of Source Only (1 seed, chance 60.0 %), gain +20.0"
        in first.text
    )
    assert (
        "cannot be known from one" in first.text
        and "2 became right (D2_0002, D2_0003) and 1 became wrong (D2_0001) of 5 clips." in first.text
    )
    predictions_of(comparison.without[0].folder, 10, "D2").unlink()
    assert changes(comparison, report_data(tmp_path)) is None


@pytest.mark.slow
def test_a_summary_of_many_shifts_has_a_sentence_a_family(tmp_path):
    store_suite(tmp_path, suites(("rgb", "audio"))["paper.table1"], SIZES, (0, 1), {"source-only": 0.3, "others": 0.9})
    data = report_data(tmp_path)
    texts = [note.text for note in lead_of(data)]
    assert (
        texts[0].startswith("single-source DG: RNA-Net ")
        and "over 6 shifts" in texts[0]
        and "higher in 6 of them" in texts[0]
    )
    assert texts[1].startswith("multi-source DG") and "luck alone would seldom give" in texts[0]


def test_one_method_alone_is_told(tmp_path):
    store_shift(tmp_path, {Rna(): np.arange(20) < 10})
    data = report_data(tmp_path)
    (note,) = lead_of(data)
    assert note.is_warning and "compares nothing" in note.text and "runs of RNA-Net" in note.text
    assert texts(grid_of(data, "dg1")) == [["RNA-Net", "50.0"]]


def test_how_it_was_made(tmp_path):
    store_shift(tmp_path, {SourceOnly(): [1, 0], Rna(): [1, 1]})
    store(tmp_path, plain_run("dg1:D1:D3"), {"D3": [[1, 1]]}, complete=False)
    folder = next(tmp_path.glob("rna*"))
    start = {
        "started": "2026-01-02T03:04:05+00:00",
        "device": "cpu",
        "torch": "2.13.0",
        "commit": "abc",
        "command": "egonorm x",
    }
    (folder / "environment.json").write_text(json.dumps([start, start]))
    (folder / "train.jsonl").write_text('{"step": 1, "seconds": 1.5}\n{"step": 2, "seconds": 3.25}\n{"step": 3, "se')
    (folder / "left_out.json").write_text(
        json.dumps([{"media": "a.mp4", "clips": ["a1", "a2"]}, {"media": "b", "clips": ["a2"]}])
    )
    parts = making(report_data(tmp_path)).parts
    assert report_data(tmp_path).notes == ("Unfinished runs left out: 1.",)
    (grid,) = (p for p in parts if isinstance(p, Grid))
    runs = {row[0].text: dict(zip(grid.header, (cell.text for cell in row), strict=True)) for row in grid.rows}
    told = runs[folder.name]
    assert (told["seconds"], told["starts"], told["left out"]) == ("3.25", "2", "2")
    assert (told["commit"], told["command"], told["device"], told["python"]) == (
        "abc",
        "egonorm x",
        "cpu",
        "not stored",
    )
    assert {line["started"] for line in runs.values()} == {"not stored", start["started"]}
    facts = {part.title: dict(part.items) for part in parts if isinstance(part, Facts)}
    assert facts["In what the runs differ"]["method.name"] == "rna, source-only"
    assert facts["What all runs have in common"]["net.streams.rgb.encoder.name"] == "i3d"
    assert facts["What all runs have in common"]["optim.batch"] == "16"


def test_errata_of_the_paper():
    assert ("Table 1 (left), Align. Only", "Mean: not the mean of the printed row (40.24)") in errata()


def test_no_complete_run_is_an_error(tmp_path):
    store(tmp_path, plain_run(), {"D2": drawn_hits(plain_run(), "D2", 10, 0.5)}, complete=False)
    with pytest.raises(RunError, match="no complete run"):
        report_data(tmp_path)


def test_configurations_that_words_do_not_tell_apart_keep_their_own_numbers(tmp_path):
    run = plain_run()
    store(tmp_path, run, {"D2": [[1] * 5 + [0] * 5]})
    for lr, hits in ((0.03, [1] * 9 + [0]), (0.01, [1] * 2 + [0] * 8)):
        store(tmp_path, replace(run, method=Rna(), optim=replace(run.optim, lr=lr)), {"D2": [hits]})
    grid = grid_of(report_data(tmp_path), "dg1")
    found = {row[0].text: row[1].text for row in grid.rows}
    assert sorted(found.values()) == ["20.0", "50.0", "90.0"] and all(
        name.startswith(("Source", "RNA-Net (")) for name in found
    )


def test_gains_of_some_seeds_or_clips_say_so(tmp_path):
    store_shift(tmp_path, {SourceOnly(): [1] * 4 + [0] * 16}, seeds=(0, 1, 2))
    store_shift(tmp_path, {Rna(): [1] * 8 + [0] * 12}, seeds=(0, 1))
    store(tmp_path, plain_run(method=AlignOnly(), seed=9), {"D2": [[1] * 20]})
    rna, align = (row[1] for row in grid_of(report_data(tmp_path), "dg1").rows[1:])
    assert rna.lines[1].startswith("gain +20.0") and rna.lines[2] == "(on seeds 0, 1)"
    assert align.lines[1] == "no gain: Source Only: seeds differ"


def test_clips_that_not_all_were_judged_on_are_counted(tmp_path):
    store(tmp_path, plain_run(), {"D2": [[1, 0] * 10]})
    store(tmp_path, plain_run(method=Rna()), {"D2": [[1] * 5]})
    assert grid_of(report_data(tmp_path), "dg1").rows[1][1].lines[2] == "(without 15 clips that not all were judged on)"


def test_the_mean_is_over_the_settings_own_targets(tmp_path):
    for method in (SourceOnly(), Rna()):
        for setting in ("uda:D1:D2", "uda:D2:D1"):
            target = setting[-2:]
            store(tmp_path, plain_run(setting, method), {target: [[1] * 6 + [0] * 4], "D3": [[0] * 10]})
    grid = grid_of(report_data(tmp_path), "uda")
    assert grid.header == ("method", "D1 → D2", "D1 → D3 (target D2)", "D2 → D1", "D2 → D3 (target D1)", "mean")
    assert texts(grid)[0] == ["Source Only", "60.0", "0.0", "60.0", "0.0", "60.0"]
    assert [note.text[:27] for note in lead_of(report_data(tmp_path))] == [
        "Trained in D1, tested in D2",
        "Trained in D2, tested in D1",
    ]


def test_supervised_runs_that_were_judged_elsewhere_keep_their_mean(tmp_path):
    for domain in ("D1", "D2"):
        store(tmp_path, plain_run(f"supervised:{domain}:{domain}"), {domain: [[1] * 10], "D3": [[0] * 10]})
    grid = grid_of(report_data(tmp_path), "supervised")
    assert grid.header[-1] == "mean" and texts(grid)[0][-1] == "100.0"


def test_what_is_said_first_has_the_p_of_the_table(tmp_path):
    hits = {SourceOnly(): 0.3, Rna(): 0.55, AlignOnly(): 0.5}
    for method, share in hits.items():
        for seed in (0, 1, 2):
            for setting in ("dg1:D1:D2", "dg1:D1:D3"):
                run = plain_run(setting, method, seed)
                store(tmp_path, run, {setting[-2:]: drawn_hits(run, setting[-2:], 60, share)})
    data = report_data(tmp_path)
    cells = next(row for row in grid_of(data, "dg1").rows if row[0].text == "RNA-Net")
    for cell, note in zip(cells[1:], lead_of(data), strict=False):
        assert f"(p {cell.lines[1].rpartition('p ')[2]})" in note.text


def test_runs_on_different_data_are_not_compared(tmp_path):
    labels = np.arange(10) % 3
    store(tmp_path, plain_run(), {"D2": [[1] * 10]}, labels=labels)
    store(tmp_path, plain_run(method=Rna()), {"D2": [[1] * 10]}, labels=(labels + 1) % 3)
    data = report_data(tmp_path)
    (comparison,) = data.comparisons("rna")
    assert changes(comparison, data) is None and "other labels" in judged(comparison, data).text
    (note,) = looks(comparison, data, 2)
    assert note.is_warning and "different data" in note.text


def test_clips_that_were_not_asked_for(tmp_path):
    store_shift(tmp_path, {SourceOnly(): [1, 0], Rna(): [0, 1]})
    data = report_data(tmp_path)
    (comparison,) = data.comparisons("rna")
    for (note,) in (looks(comparison, data, 0), mistakes(comparison, data, 0)):
        assert "--clips" in note.text and "No clip of" not in note.text


@pytest.mark.slow
def test_domains_with_dashes_have_places_of_their_own(tmp_path):
    for setting in ("dg1:A:B-C", "dg1:A-B:C"):
        for method in (SourceOnly(), Rna()):
            store(tmp_path, plain_run(setting, method), {setting.split(":")[2]: [[1, 0, 1]]})
    data = report_data(tmp_path)
    assert len({comparison.name for comparison in data.comparisons("rna")}) == 2
    assert write_page(compose(data, "rna"), tmp_path / "page").exists()
