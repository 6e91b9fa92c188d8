"""Selection is a named function of rows."""

import pytest

from egonorm.core import RunError
from egonorm.runs.results import COMPLETE, Row, best_on_source, last, last_mean, oracle, parse_selector, read_records
from stored_runs import plain_run, store


def row(step, domain, value, metric="top1"):
    return Row("r", "rna", "dg1:D1:D2", 0, step, "test", domain, metric, value, 100)


ROWS = [
    *(row(step, "D1", value) for step, value in [(10, 80.0), (20, 90.0), (30, 90.0), (40, 85.0)]),
    *(row(step, "D2", value) for step, value in [(10, 50.0), (20, 30.0), (30, 40.0), (40, 45.0)]),
    row(40, "D2", 1.0, COMPLETE),
]


def test_each_selection():
    assert last_mean(9)(ROWS) == (10, 20, 30, 40)
    assert last_mean(3)(ROWS) == (20, 30, 40)
    assert last(ROWS) == (40,)
    assert best_on_source(ROWS) == (30,), "ties go to the later step"
    assert oracle(ROWS) == (10,)


def test_names():
    assert parse_selector("last-mean:2")(ROWS) == (30, 40)
    assert [parse_selector(name)(ROWS) for name in ("last", "best-on-source", "oracle")] == [(40,), (30,), (10,)]
    for wrong in ("best", "last-mean", "last-mean:0", "last-mean:x"):
        with pytest.raises(RunError, match="last-mean:K, last, best-on-source, oracle"):
            parse_selector(wrong)


def test_best_on_source_needs_the_sources_to_be_judged():
    with pytest.raises(RunError, match="was not judged on D1"):
        best_on_source([r for r in ROWS if r.domain == "D2"])


@pytest.mark.parametrize("name", ["oracle", "best-on-source"])
def test_a_run_that_is_complete_without_measurements_is_named(tmp_path, name):
    folder = store(tmp_path, plain_run(), {})
    with pytest.raises(RunError, match=rf"{folder.name} was not judged on D[12](.|\n)*got: +none"):
        read_records([folder], parse_selector(name))
    (record,), _ = read_records([folder], last)
    assert record.steps == () and not record.measured and not record.top1
