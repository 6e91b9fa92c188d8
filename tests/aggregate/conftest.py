"""What tests of aggregates need: the configuration of a run. They read rows; no clip is there."""

from pathlib import Path

import pytest

from egonorm.runs.config import Run
from small_runs import small_run


@pytest.fixture
def run() -> Run:
    """A run of kitchens that do not exist."""
    return small_run(Path("kitchens"))
