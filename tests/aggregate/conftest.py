"""What tests of aggregates need: the configuration of a run. They read rows; no clip is there."""

from pathlib import Path

import pytest

from egonorm.runs.config import Run
from small_runs import small_run


def pytest_collection_modifyitems(items):
    """Tests of the whole comparison come last: what is wrong is mostly noticed by the quick ones."""
    items.sort(key=lambda item: "table_and_rows" in item.fixturenames)


@pytest.fixture
def run() -> Run:
    """A run of kitchens that do not exist."""
    return small_run(Path("kitchens"))
