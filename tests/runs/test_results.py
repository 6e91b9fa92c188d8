"""Rows on disk: what was written is read, and what cannot be read is named."""

import hashlib
import json
import math

import pytest
from msgspec.structs import asdict
from msgspec.structs import replace as changed

from egonorm.core import NotFiniteError, RunError
from egonorm.runs.results import COMPLETE, FILE, STOPPED, Row, is_complete, note_stop, read_rows, read_stop, write_rows

ROW = Row("r", "rna", "dg1:D1:D2", 0, 10, "test", "D2", "top1", 80.0, 20)
NORM = changed(ROW, metric="mean_norm/rgb", value=3.0)
LAST = changed(ROW, metric=COMPLETE, value=1.0, n=0)


def not_measured(folder, got, expected):
    text = rf"{folder / FILE} is not what was measured\.\n  got:      {got}.*\n  expected: .*{expected}\n"
    return pytest.raises(RunError, match=text + f"  remedy:   Judge its checkpoints anew: egonorm test {folder}$")


def test_rows_are_read_as_they_were_written(tmp_path):
    assert read_rows(tmp_path) == ()
    write_rows(tmp_path, [ROW, NORM])
    assert read_rows(tmp_path) == (ROW, NORM)


def test_the_last_row_of_a_complete_run_has_number_and_digest_of_the_others(tmp_path):
    write_rows(tmp_path, [ROW, NORM, LAST])
    *others, last = read_rows(tmp_path)
    lines = (tmp_path / FILE).read_bytes().splitlines(keepends=True)
    digest = hashlib.sha256(b"".join(lines[:2])).hexdigest()[:16]
    assert others == [ROW, NORM] and last == changed(LAST, n=2, digest=digest) and is_complete(tmp_path)
    assert b"digest" not in lines[0] and len(lines) == 3


@pytest.mark.parametrize(
    ("change", "got", "expected"),
    [
        (lambda lines: lines[1:], "1 rows before the last", "2, as the last one says"),
        (lambda lines: [lines[0], *lines], "3 rows before the last", "2, as the last one says"),
        (lambda lines: [lines[0].replace(b"80.0", b"81.0"), *lines[1:]], "rows of digest", "as the last one says"),
        (lambda lines: [lines[1], lines[0], lines[2]], "rows of digest", "as the last one says"),
        (lambda lines: [*lines, lines[0]], "rows after the one that says complete", "that one last"),
    ],
)
def test_rows_that_are_not_as_they_were_written_are_refused(tmp_path, change, got, expected):
    write_rows(tmp_path, [ROW, NORM, LAST])
    path = tmp_path / FILE
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    with not_measured(tmp_path, got, expected):
        read_rows(tmp_path)


@pytest.mark.parametrize(
    ("rows", "got", "expected"),
    [
        ([changed(ROW, value=187.3)], "top1 of D2 at step 10 is 187.3", "0 to 100"),
        ([changed(ROW, value=-5.0)], "top1 of D2 at step 10 is -5", "0 to 100"),
        ([changed(ROW, value=math.nan)], "top1 of D2 at step 10 is nan", "0 to 100"),
        ([changed(ROW, metric="recall/cut", value=100.1)], "recall/cut of D2 at step 10 is 100.1", "0 to 100"),
        (
            [changed(ROW, metric="norm_share/rgb", value=101.0)],
            "norm_share/rgb of D2 at step 10 is 101",
            "0 to 100.001",
        ),
        ([changed(NORM, value=-1.0)], "mean_norm/rgb of D2 at step 10 is -1", "0 to inf"),
        ([changed(ROW, n=0)], "top1 of D2 at step 10 on 0 clips", "one clip or more"),
        ([changed(ROW, step=-1)], "top1 of D2 at step -1 on 20 clips", "a step from 0 on, and one clip or more"),
        ([ROW, NORM, changed(ROW, value=70.0)], "top1 of D2 at step 10 more than once", "each number once"),
        ([ROW, LAST, NORM], "rows after the one that says complete", "that one last"),
    ],
)
def test_rows_that_nothing_measures_are_refused(tmp_path, rows, got, expected):
    write_rows(tmp_path, rows)
    with not_measured(tmp_path, got, expected):
        read_rows(tmp_path)


@pytest.mark.parametrize("value", ["NaN", "Infinity"])
@pytest.mark.parametrize("metric", ["mean_norm/rgb", "norm_share/rgb", "mean_norm_difference/rgb-audio"])
def test_norms_of_a_training_that_diverged_are_read(tmp_path, metric, value):
    write_rows(tmp_path, [changed(NORM, metric=metric, value=float(value)), LAST])
    row, last = read_rows(tmp_path)
    assert repr(row.value) == repr(float(value)) and last.n == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"value": "80"}, 'value is "80"'),
        ({"value": None}, "value is null"),
        ({"value": True}, "value is true"),
        ({"value": 10**400}, "too large"),
        ({"n": 2.5}, "n is 2.5"),
        ({"step": "10"}, 'step is "10"'),
        ({"domain": 2}, "domain is 2"),
        ({"more": 1}, "more"),
        ({"digest": 3}, "digest is 3"),
        ({"run": json.loads("[" * 300 + "]" * 300)}, r"run is \[\[\["),
    ],
)
def test_a_row_of_other_things_is_refused(tmp_path, changes, told):
    (tmp_path / FILE).write_text(json.dumps(asdict(ROW)) + "\n" + json.dumps(asdict(ROW) | changes))
    with pytest.raises(RunError, match=rf"{FILE} cannot be read(.|\n)*{told}"):
        read_rows(tmp_path)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"3\n", b"[]\n", b"{}\n", b'{"run": "r"', b"[" * 99999])
def test_what_is_no_table_is_refused(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(RunError, match=r"cannot be read(.|\n)*egonorm test"):
        read_rows(tmp_path)


def test_a_folder_in_the_place_of_the_table_is_refused(tmp_path):
    (tmp_path / FILE).mkdir()
    with pytest.raises(RunError, match="cannot be read"):
        read_rows(tmp_path)


def test_why_a_training_was_stopped_is_read_as_it_was_noted(tmp_path):
    assert read_stop(tmp_path) is None
    note_stop(tmp_path, NotFiniteError("Step 3: the term x is not finite.", got="x = nan", expected="y", remedy="z"))
    found = read_stop(tmp_path)
    told = f"The training in {tmp_path} has diverged. Step 3: the term x is not finite."
    assert (found.what, found.got, found.expected, found.remedy) == (told, "x = nan", "y", "z")
    for damaged in ("", "[]", "{}", "1", '{"what": 1}'):
        (tmp_path / STOPPED).write_text(damaged)
        assert read_stop(tmp_path) is None
