"""The verb that does the main job once, from videos to a page."""

import os
from dataclasses import dataclass
from pathlib import Path

from egonorm.bench.demo import farewell, run_demo
from egonorm.bench.progress import bar
from egonorm.report.make import make_report


@dataclass(frozen=True)
class Demo:
    """The main job without data or GPU: render kitchens, train Source Only and RNA-Net in one, test in all, show why."""

    out: Path = Path("demo")
    """Where videos, runs and the page are put; a second call reuses them."""
    workers: int = max(0, (os.cpu_count() or 1) // 2 - 1)
    """Processes that read clips for each of the two trainings; 0 reads in the training process."""

    def __call__(self) -> None:
        runs = run_demo(self.out, self.workers)
        with bar("Saving clips") as progress:
            page = make_report(runs, self.out / "report", progress=progress)
        print(farewell(self.out, page))
