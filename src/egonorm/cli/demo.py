"""The verb demo: kitchens, Source Only and RNA-Net, a table and a page, without data or GPU."""

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from egonorm.aggregate.table import render_table, summarise
from egonorm.core.processes import in_processes
from egonorm.core.progress import bar
from egonorm.core.text import say
from egonorm.data.sets.synthetic import KitchensConfig, render_kitchens
from egonorm.methods import Rna, SourceOnly
from egonorm.report.build import make_report
from egonorm.runs.config import Run
from egonorm.runs.presets import configure
from egonorm.runs.results import is_complete, last_mean, read_rows
from egonorm.runs.run import Options, RunContext, execute, measure
from egonorm.training.runtime import start_runtime


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
        say(farewell(self.out, page))


DEMO_KITCHENS = KitchensConfig(clips=160, kitchens=3, seed=0, size=(120, 160))


def run_demo(out: Path, workers: int) -> Path:
    """Render three kitchens, train Source Only and RNA-Net in D1, judge both in D1, D2 and D3, and print one table; the runs.

    The two runs go on side by side, each with half of the cores; of the second one the progress is shown.
    """
    videos = (out / "kitchens").absolute()
    with bar("Rendering 3 kitchens") as progress:
        render_kitchens(videos, DEMO_KITCHENS, progress=progress)
    runs = [configure(f"kitchens:{videos}", "dg1:D1:D2", method, "demo") for method in (SourceOnly(), Rna())]
    folders = [out / "runs" / run.name for run in runs]
    cores = os.cpu_count() or 1
    number = 1 if all(map(_is_done, folders)) else min(cores, len(runs))
    options = [Options(workers, quiet=number > 1), Options(workers)]
    jobs = [(*job, max(1, cores // number)) for job in zip(runs, folders, options, strict=True)]
    for _ in in_processes(train_and_judge, jobs, number):
        pass
    say(render_table(summarise(folders, last_mean(9), "last-mean:9"), "text"))
    return out / "runs"


def train_and_judge(run: Run, folder: Path, options: Options, threads: int) -> None:
    """Do one run, the domain that its setting does not name included."""
    torch.set_num_threads(threads)
    with start_runtime() as runtime:
        context = RunContext(run, folder, runtime, options)
        execute(context)
        if not _is_done(folder):
            measure(context, "D3")


def _is_done(folder: Path) -> bool:
    return is_complete(folder) and "D3" in {row.domain for row in read_rows(folder)}


def farewell(out: Path, page: Path) -> str:
    """What a person reads last: what the table and the page are of, and what to do next."""
    videos, runs = (out / "kitchens").absolute(), (out / "runs").absolute()
    return f"""Trained in D1: the rows tested on D1 are test clips of the same kitchen, D2 and D3 are kitchens never seen.
source-only is before alignment, rna after it.

Videos  {videos}
Runs    {runs}
Page    {page.absolute()}
        what RNA changed and on which clips: open it in a browser

Next    egonorm train --data kitchens:{videos} --setting dgn:D1+D2:D3 --preset demo --out {runs} rna
        egonorm report {runs} --out {page.parent.absolute()}
        egonorm table {runs} --format markdown
        egonorm train --help"""
