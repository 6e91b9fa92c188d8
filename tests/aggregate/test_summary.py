"""Tables: what is averaged, what the cells say, and the four formats."""

import csv
import io
from dataclasses import replace

import pytest
from msgspec.structs import replace as changed

from egonorm.aggregate.aggregate import plain
from egonorm.aggregate.table import render_table, summarise
from egonorm.core import RunError, Setting
from egonorm.methods import Rna, SourceOnly
from egonorm.runs.config import read_run, to_json
from egonorm.runs.results import COMPLETE, Row, find_runs, last_mean, read_rows, write_rows


def store(out, run, values, complete=True):
    """A run's folder whose fused top-1 at each step is given; its norms are 3 and 7."""
    folder = out / run.name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(to_json(run))
    row = Row(run.name, run.method.name(), str(run.setting), run.seed, 0, "test", "D2", "top1", 0.0, 200)
    rows = []
    for step, value in values.items():
        rows += [
            changed(row, step=step, value=value),
            changed(row, step=step, metric="mean_norm/rgb", value=3.0),
            changed(row, step=step, metric="mean_norm_difference/rgb-audio", value=-4.0),
        ]
    write_rows(folder, rows + [changed(row, metric=COMPLETE)] * complete)
    return folder


def test_checkpoints_are_averaged_within_a_run_and_seeds_over_runs(tmp_path, run):
    store(tmp_path, replace(run, seed=0), {10: 0.0, 20: 40.0, 30: 50.0})
    store(tmp_path, replace(run, seed=1), {10: 0.0, 20: 50.0, 30: 60.0})
    store(tmp_path, replace(run, method=Rna()), {20: 70.0, 30: 70.0})
    table = summarise(find_runs(tmp_path), last_mean(2), "last-mean:2")
    cells = [dict(zip(table.header, map(str, row), strict=True)) for row in table.rows]
    assert [(c["method"], c["tested on"], c["n"]) for c in cells] == [
        ("rna", "D2", "200"),
        ("source-only", "D2", "200"),
    ]
    assert cells[0]["top-1 fused"] == "70.0 [63, 76]"
    assert cells[1]["top-1 fused"] == "50.0 ± 7.1 [43, 57]"
    assert cells[0]["|rgb|"] == "3.00" and cells[0]["delta rgb-audio"] == "-4.00"
    assert "last-mean:2" in table.caption and "Wilson" in table.caption


def test_a_metric_has_a_column_with_its_title_unless_it_belongs_to_another(tmp_path, run):
    folder = store(tmp_path, run, {10: 50.0})
    *rows, last = read_rows(folder)
    further = {
        "norm_share/rgb": 0.1,
        "recall/cut": 30.0,
        "top1/audio": 25.0,
        "mean_class_accuracy": 30.0,
        "skew": 1.234,
    }
    rows += [changed(rows[0], metric=metric, value=value) for metric, value in further.items()]
    write_rows(folder, [*rows, last])
    lacking = store(tmp_path, replace(run, method=Rna()), {10: 50.0})
    write_rows(lacking, [row for row in read_rows(lacking) if row.metric != "top1"])
    table = summarise([folder, lacking], last_mean(9), "last-mean:9")
    first, second = ([*map(str, row)] for row in table.rows)
    assert dict(zip(table.header, first, strict=True)) == {
        "method": "source-only",
        "setting": str(run.setting),
        "tested on": "D2",
        "seeds": "1",
        "n": "200",
        "chance": "100.0",
        "top-1 fused": "50.0 [43, 57]",
        "|rgb|": "3.00",
        "delta rgb-audio": "-4.00",
        "top-1 audio": "25.0 [20, 31]",
        "mean class": "30.0",
        "clips a class": "200 to 200 (1 classes)",
        "skew": "1.23",
    }
    assert ", ".join(second) == f"rna, {run.setting}, D2, 1, , , , 3.00, -4.00, , , , "
    assert table.header[5:] == (
        "chance",
        "top-1 fused",
        "|rgb|",
        "delta rgb-audio",
        "top-1 audio",
        "mean class",
        "clips a class",
        "skew",
    )


def test_settings_tell_lines_of_one_method_apart_without_a_column_of_configurations(tmp_path, run):
    for setting, lr in (("dg1:D1:D2", 0.1), ("dg1:D3:D2", 0.2)):
        optim = replace(run.optim, lr=lr)
        store(tmp_path, replace(run, setting=Setting.parse(setting), optim=optim), {10: 50.0})
    table = summarise(find_runs(tmp_path), last_mean(9), "last-mean:9")
    assert len(table.rows) == 2 and "config" not in table.header


def test_other_configurations_of_a_method_get_lines_of_their_own(tmp_path, run):
    store(tmp_path, replace(run, method=Rna(weight=1.0)), {10: 50.0})
    store(tmp_path, replace(run, method=Rna(weight=2.0)), {10: 60.0})
    table = summarise(find_runs(tmp_path), last_mean(9), "last-mean:9")
    assert "config" not in table.header and {row[0] for row in table.rows} == {"rna", "rna:weight=2"}


def test_the_optimisation_tells_runs_apart_where_it_differs(tmp_path, run):
    ways = {
        "adamw weight decay 0.01 cosine": {"optimizer": "adamw", "weight_decay": 0.01, "schedule": "cosine"},
        "cosine frozen rgb.encoder": {"schedule": "cosine", "frozen": ("rgb.encoder",)},
        "cosine lr of audio times 0.5": {"schedule": "cosine", "lr_factors": {"audio": 0.5}},
        "": {},
    }
    runs = {words: replace(run, optim=replace(run.optim, warm_up=0.1, **way)) for words, way in ways.items()}
    for k, one in enumerate(runs.values()):
        store(tmp_path, one, {10: 10.0 * k})
    table = summarise(find_runs(tmp_path), last_mean(9), "last-mean:9")
    digests = {f"{words} {plain(one).name.rpartition('-')[2]}".strip() for words, one in runs.items()}
    assert {
        row[table.header.index("config")] for row in table.rows
    } == digests  # what all have, the warm-up, is not said


def test_unfinished_runs_are_left_out_and_said_so(tmp_path, run):
    store(tmp_path, replace(run, method=SourceOnly()), {10: 50.0})
    unfinished = store(tmp_path, replace(run, method=Rna()), {10: 60.0}, complete=False)
    table = summarise(find_runs(tmp_path), last_mean(9), "last-mean:9")
    assert len(table.rows) == 1 and "Unfinished runs left out: 1" in table.caption
    with pytest.raises(RunError, match="no complete run"):
        summarise([unfinished], last_mean(9), "last-mean:9")


def test_formats(tmp_path, run):
    store(tmp_path, run, {10: 51.25})
    table = summarise(find_runs(tmp_path), last_mean(9), "last-mean:9")
    read = list(csv.reader(io.StringIO(render_table(table, "csv"))))
    written = dict(zip(*read, strict=True))
    assert set(written) == {*table.header, "top-1 fused sd", "top-1 fused low", "top-1 fused high"}
    assert float(written["top-1 fused"]) == 51.25 and written["top-1 fused sd"] == "" and written["|rgb|"] == "3.0"
    assert 44 < float(written["top-1 fused low"]) < 45 and 57 < float(written["top-1 fused high"]) < 59
    markdown = render_table(table, "markdown")
    assert markdown.startswith("| method | setting |") and "| --- |" in markdown and r"\|rgb\|" in markdown
    latex = render_table(table, "latex")
    assert r"95 \% interval" in latex and r"51.2 [44, 58]" in latex and latex.count(r"\\") == 2
    assert "source-only" in render_table(table, "text") and "Wilson" in render_table(table, "text")


def test_no_runs_and_broken_rows(tmp_path, run):
    with pytest.raises(RunError, match="holds no runs"):
        find_runs(tmp_path)
    folder = store(tmp_path, run, {10: 50.0})
    (folder / "results.jsonl").write_text('{"run": 1}\n')
    with pytest.raises(RunError, match=rf"cannot be read(.|\n)*egonorm test {folder}"):
        read_rows(folder)


def test_what_cannot_be_read_is_left_out_and_named(tmp_path, run):
    store(tmp_path, run, {10: 50.0})
    broken = [store(tmp_path, replace(run, seed=seed), {10: 50.0}) for seed in (1, 2, 3)]
    (broken[0] / "config.json").write_text("garbage")
    (broken[1] / "config.json").unlink()
    (broken[2] / "results.jsonl").write_text('{"run": 1}\n')
    table = summarise(find_runs(tmp_path), last_mean(9), "last-mean:9")
    assert table.caption.count("Left out: ") == len(broken)
    assert all(folder.name in table.left_out for folder in broken)
    assert len(table.rows) == 1 and str(table.rows[0][table.header.index("seeds")]) == "1"
    config = (broken[2] / "config.json").read_text().replace('"name": "source-only"', '"name": "my-own"')
    (broken[2] / "config.json").write_text(config)
    with pytest.raises(RunError, match=r"a run of a method that is not here(.|\n)*my-own(.|\n)*source-only"):
        read_run(broken[2])


def test_lines_of_one_method_say_in_what_they_differ(tmp_path, run):
    alone = replace(run, net=run.net.choose(("audio",)))
    for other in (run, alone, replace(run, net=replace(run.net, fusion="concat"))):
        store(tmp_path, other, {10: 50.0})
    table = summarise(find_runs(tmp_path), last_mean(9), "last-mean:9")
    told = {str(row[table.header.index("config")]).rpartition(" ")[0] for row in table.rows}
    assert told == {"sum rgb+audio", "sum audio", "concat rgb+audio"}


def test_names_are_printed_to_the_letter(tmp_path, run):
    """`:a:` is no emoji and `[red]` no colour."""
    store(tmp_path, replace(run, setting=Setting.parse("dg1:a:[red]b")), {10: 50.0})
    assert "dg1:a:[red]b" in render_table(summarise(find_runs(tmp_path), last_mean(9), "last-mean:9"), "text")
