"""The verb on many runs: bench."""

import os
import sys
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro

from egonorm.cli.options import MachineOptions, RunOptions
from egonorm.cli.words import named
from egonorm.core import RunError, Setting, SettingError
from egonorm.core.progress import tally
from egonorm.core.shard import Shard
from egonorm.core.text import say
from egonorm.data.sets import open_clip_set
from egonorm.methods import SourceOnly
from egonorm.methods.base import split_methods
from egonorm.runs.config import ANYWHERE, Run, to_json
from egonorm.runs.run import check_run_blocks
from egonorm.sweeps.launcher import LocalEngine, RayEngine
from egonorm.sweeps.paper import PAPER_DOMAINS, SUITES, suites
from egonorm.sweeps.plan import Plan, make_plan
from egonorm.sweeps.sweep import run_sweep


@dataclass(frozen=True)
class Bench:
    """Do all the runs of a suite that are not done yet: every system of the paper's tables, in all settings, with seeds."""

    suite: tyro.conf.Positional[Literal[SUITES]]  # type: ignore[valid-type]
    """Which of the paper's tables, or all of them."""
    data: Annotated[str, named("KIND:PATH")]
    """The clips; the kind is kitchens, folder, epic55, packed or features."""
    seeds: Annotated[str, named("INTS")] = "0,1,2"
    """With commas between them."""
    out: Path = Path("runs")
    """The folder of runs; each run gets a folder of its own below it."""
    methods: Annotated[str | None, named("METHODS")] = None
    """These methods alone, with commas between them; others than the suite's are added to all its settings. Options follow a name
    (rna:weight=0.5); a class of your own is named package.module:Class."""
    setting: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], named("FAMILY:SOURCES:TARGET")] = ()
    """One of the suite's settings to do, and no other; may be given several times."""
    radius: Annotated[float | None, named("FLOAT")] = None
    """R of HNA, as --methods hna:radius=R; without it, half-way between the norms of the Source Only run with the first seed."""
    training: tyro.conf.OmitArgPrefixes[RunOptions] = field(default_factory=RunOptions)
    shard: Annotated[str, named("I/N")] = "1/1"
    """Only the I-th of N shares of the runs, for N machines or the tasks of a job array that share --out."""
    engine: Literal["local", "ray"] = "local"
    """Processes of this machine, or a Ray cluster."""
    jobs: Annotated[int | None, named("INT")] = None
    """Runs at a time; without it one for each GPU, or for each core where there is none."""
    machine: tyro.conf.OmitArgPrefixes[MachineOptions] = field(default_factory=lambda: MachineOptions(workers=0))

    def __call__(self) -> None:
        plan = self._plan()
        for words in plan.left_out:
            say(f"Left out: {words}")
        options = self.machine.as_options(quiet=True)
        engine = self._engine()
        try:
            with tally() as tell:
                outcome = run_sweep(plan.runs, self.out.absolute(), engine, options, self.machine.device, tell)
        finally:
            engine.close()
        say(f"{outcome.skipped} of {outcome.total} runs were complete already, {outcome.done} were done now.")
        if outcome.failed:
            _report(outcome.failed)
        known = set(PAPER_DOMAINS) <= {domain for planned in plan.runs for domain in planned.run.setting.domains}
        say(f"Next: egonorm table {self.out}{' --against paper' if known else ''}")

    def _plan(self) -> Plan:
        base = self._base()
        parts = suites(base.net.streams)[self.suite]
        names = None if self.methods is None else split_methods(self.methods)
        given = {} if self.radius is None else {"radius": self.radius}
        settings = [Setting.parse(text) for text in self.setting] or None
        domains = open_clip_set(base.data).manifest.domains
        plan = make_plan(parts, base, domains, _numbers(self.seeds), given, names, settings)
        if not plan.runs:
            raise SettingError(
                "There is nothing to do.",
                got="; ".join(plan.left_out),
                expected="a method that can work there",
                remedy="Choose other --methods, --setting or another suite.",
            )
        _check_blocks(plan)
        return plan.share(Shard.parse(self.shard))

    def _base(self) -> Run:
        """What all runs have in common; the setting is replaced in each."""
        return self.training.configure(self.data, str(ANYWHERE), SourceOnly())

    def _engine(self):
        if self.jobs is not None and self.jobs < 1:
            raise RunError("--jobs cannot be used.", got=self.jobs, expected="1 or more", remedy="Correct --jobs.")
        if self.engine == "ray":
            return RayEngine(self.jobs)
        gpus = (
            torch.cuda.device_count() if self.machine.device in ("auto", "cuda") else int(self.machine.device != "cpu")
        )
        return LocalEngine(self.jobs or gpus or os.cpu_count() or 1)


def _check_blocks(plan: Plan) -> None:
    """Refuse blocks that a network of the plan does not have, before any run is begun."""
    runs = [planned.run for planned in plan.runs if planned.run.optim.blocks]
    for run in {to_json(replace(run, setting=ANYWHERE, seed=0)): run for run in runs}.values():
        with suppress(SettingError):  # what cannot be built says so when it is begun, and stops no other
            check_run_blocks(run)


def _report(failed: dict[str, str]) -> None:
    reasons = defaultdict(list)
    for name, text in failed.items():
        reasons[text].append(name)
    told = "\n".join(f"{', '.join(names)}\n  {text}" for text, names in reasons.items())
    say(f"Failed:\n{told}", to=sys.stderr)
    raise RunError(
        f"{len(failed)} of the runs failed.",
        got=", ".join(failed),
        expected="runs that end",
        remedy="Mend what the reasons above name; the same command then does these alone.",
    )


def _numbers(text: str) -> list[int]:
    seeds = text.split(",")
    if not all(seed.isdecimal() for seed in seeds) or len(set(seeds)) != len(seeds):
        raise RunError(
            "--seeds cannot be read.",
            got=text,
            expected="different whole numbers from 0, with commas between them",
            remedy="Write for example --seeds 0,1,2.",
        )
    return [int(seed) for seed in seeds]
