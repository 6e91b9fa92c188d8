"""Rows on disk: what was written is read, and what cannot be read is named."""

import json

import pytest
from msgspec.structs import asdict

from egonorm.core import RunError
from egonorm.runs.results import FILE, Row, read_rows, write_rows

ROW = Row("r", "rna", "dg1:D1:D2", 0, 10, "test", "D2", "top1", 80.0, 20)


def test_rows_are_read_as_they_were_written(tmp_path):
    assert read_rows(tmp_path) == ()
    write_rows(tmp_path, [ROW, ROW])
    assert read_rows(tmp_path) == (ROW, ROW)


@pytest.mark.parametrize("value", ["80", "NaN", "Infinity"])
def test_any_number_is_a_value(tmp_path, value):
    (tmp_path / FILE).write_text(json.dumps(asdict(ROW)).replace("80.0", value))
    (row,) = read_rows(tmp_path)
    assert isinstance(row.value, float) and repr(row.value) == repr(float(value))


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
    ],
)
def test_a_row_of_other_things_is_refused(tmp_path, changes, told):
    (tmp_path / FILE).write_text(json.dumps(asdict(ROW)) + "\n" + json.dumps(asdict(ROW) | changes))
    with pytest.raises(RunError, match=rf"{FILE} cannot be read(.|\n)*{told}"):
        read_rows(tmp_path)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"3\n", b"[]\n", b"{}\n", b'{"run": "r"'])
def test_what_is_no_table_is_refused(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(RunError, match=r"cannot be read(.|\n)*Remove the file"):
        read_rows(tmp_path)


def test_a_folder_in_the_place_of_the_table_is_refused(tmp_path):
    (tmp_path / FILE).mkdir()
    with pytest.raises(RunError, match="cannot be read"):
        read_rows(tmp_path)
