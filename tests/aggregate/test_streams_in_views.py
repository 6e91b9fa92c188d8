"""Chance stands beside every accuracy; dead streams and fusion that loses to a stream are marked in table and page alike."""

import csv
import io
from dataclasses import replace

from msgspec.structs import replace as changed

from egonorm.aggregate.paper_comparison import against_paper
from egonorm.aggregate.table import render_table, summarise
from egonorm.methods import Rna
from egonorm.report.data.runs import read_report_data
from egonorm.report.sections.results import find_results, results
from egonorm.runs.config import to_json
from egonorm.runs.results import COMPLETE, Row, find_runs, last_mean, write_rows
from stored_runs import plain_run

CLASSES = {"recall/cut": (50.0, 50), "recall/put": (50.0, 30), "recall/take": (50.0, 20)}
WELL = {"top1": 70.0, "top1/rgb": 65.0, "top1/audio": 66.0, "mean_norm/rgb": 3.0, "mean_norm/audio": 7.0}
WELL |= {"answer_share/rgb": 50.0}
BADLY = {"top1": 70.0, "top1/rgb": 72.0, "top1/audio": 50.0, "mean_norm/rgb": 900.0, "mean_norm/audio": 7.0}


def store(out, run, measured):
    folder = out / run.name
    folder.mkdir()
    (folder / "config.json").write_text(to_json(run))
    row = Row(run.name, run.method.name(), str(run.setting), run.seed, 9, "test", "D2", "top1", 0.0, 100)
    rows = [changed(row, metric=metric, value=value) for metric, value in measured.items()]
    rows += [changed(row, metric=metric, value=value, n=n) for metric, (value, n) in CLASSES.items()]
    write_rows(folder, [*rows, changed(row, metric=COMPLETE)])


def test_table_and_page_mark_the_same(tmp_path):
    run = plain_run()
    for seed in (0, 1):
        store(tmp_path, replace(run, seed=seed), WELL)
        store(tmp_path, replace(run, method=Rna(), seed=seed), BADLY if seed else BADLY | {"top1/audio": 69.0})
    table = summarise(find_runs(tmp_path), last_mean(9), "last-mean:9")
    rna, plain = (dict(zip(table.header, map(str, row), strict=True)) for row in table.rows)
    assert rna["chance"] == plain["chance"] == "50.0"
    assert (
        rna["top-1 fused"].endswith("] ¶") and rna["top-1 audio"].endswith("] §") and rna["|audio|"] == "7.00 ± 0.0 §"
    )
    assert not any(mark in text for text in (*plain.values(), rna["top-1 rgb"], rna["|rgb|"]) for mark in "§¶")
    marks = (
        "§ a stream that is dead, or not told from chance, in one run or more of its line: its accuracy is not "
        "above chance (1); its mean norm is "
        "0, or another's is 100 times it (1). ¶ the fused network loses to its best single stream."
    )
    assert f"that of the class with most clips. {marks}" in table.caption
    of_rna, of_plain = csv.DictReader(io.StringIO(render_table(table, "csv")))
    assert of_rna["chance"] == of_plain["chance"] == "50.0"
    assert (of_rna["top-1 fused mark"], of_rna["top-1 audio mark"], of_rna["|audio| mark"]) == ("¶", "§", "§")
    assert of_plain["top-1 fused mark"] == "" and "top-1 rgb mark" not in of_plain
    assert not any("answer_share" in title for title in table.header)
    compared = against_paper(find_runs(tmp_path), last_mean(9), "last-mean:9")
    ours = {
        row[2]: str(row[compared.header.index("ours")]) for row in compared.rows if row[compared.header.index("ours")]
    }
    assert ours["RNA-Net"].endswith("] ¶") and ours["Source Only"].endswith("]")
    data = read_report_data(find_runs(tmp_path), last_mean(9), "last-mean:9")
    grid = results(data, "dg1", find_results(data, "dg1"))
    (of_plain,), (of_rna,) = (row[1:] for row in grid.rows)
    assert "chance 50.0" in of_plain.lines and not any(line[0] in "§¶" for line in of_plain.lines)
    assert {"¶ loses to rgb alone, 72.0", "§ dead, or at chance: audio"} <= set(of_rna.lines) and marks in grid.caption
    header, *lines = grid.numbers
    assert header[-3:] == ("chance", "better stream", "dead streams")
    assert [line[-3:] for line in lines] == [(50.0, None, ""), (50.0, "rgb", "audio")]
