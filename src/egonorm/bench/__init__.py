"""Floor 5: runs, their rows, and tables of them."""

from egonorm.bench.config import Run, read_run
from egonorm.bench.presets import configure
from egonorm.bench.run import execute, measure
from egonorm.bench.summary import summarise
from egonorm.bench.table import Row, find_runs, read_rows
from egonorm.bench.trial import Options, Trial

__all__ = [
    "Options",
    "Row",
    "Run",
    "Trial",
    "configure",
    "execute",
    "find_runs",
    "measure",
    "read_rows",
    "read_run",
    "summarise",
]
