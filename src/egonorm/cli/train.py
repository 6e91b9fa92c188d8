"""The verbs that make runs: train and test."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Annotated

import tyro

from egonorm.aggregate.table import render_table, summarise
from egonorm.api import evaluate_run, train_run
from egonorm.cli.method import first_positional, parsed, subcommands
from egonorm.cli.options import MachineOptions, RunOptions
from egonorm.cli.words import named
from egonorm.core import RunError, SettingError
from egonorm.core.text import say
from egonorm.core.training import WindowAverage
from egonorm.methods import Method, methods
from egonorm.metrics import chance
from egonorm.runs.config import Run, read_run
from egonorm.runs.results import parse_selector


@dataclass(frozen=True)
class Train:
    """Train a method on the sources of a setting and judge it on every domain that the setting names."""

    data: Annotated[str | None, named("KIND:PATH")] = None
    """The clips; the kind is kitchens, folder, epic55, packed or features."""
    setting: Annotated[str | None, named("FAMILY:SOURCES:TARGET")] = None
    """For example dg1:D1:D2, dgn:D1+D2:D3, supervised:D1:D1, uda:D1:D2 or tta:D1:D2."""
    seed: int = 0
    """What the first weights, the order of clips, the windows and the dropout are drawn from."""
    out: Path = Path("runs")
    """The folder of runs; each run gets a folder of its own below it."""
    resume: Annotated[Path | None, named("RUN")] = None
    """Go on with this run's folder; no other option but the machine's is read."""
    training: tyro.conf.OmitArgPrefixes[RunOptions] = field(default_factory=RunOptions)
    machine: tyro.conf.OmitArgPrefixes[MachineOptions] = field(default_factory=MachineOptions)
    method: Annotated[Method | None, tyro.conf.arg(constructor_factory=subcommands, prefix_name=False)] = None
    """The method, with options of its own; a class of your own is named package.module:Class."""

    @classmethod
    def for_words(cls, words: Sequence[str]) -> type:
        """The command with the method that the words after it name among its subcommands.

        Raises:
            SettingError: for words that name no method, or options that it does not have.
        """
        flags = [
            field.name for part in (cls, RunOptions, MachineOptions) for field in fields(part) if field.type is bool
        ]
        text = first_positional(words, {f"--{name.replace('_', '-')}" for name in flags})
        if text is None:
            return cls
        if not {":", "="} & set(text):
            if {"none", *methods()} & set(words) or not text[0].isalpha():  # as is the second value of an option
                return cls
            raise SettingError(
                "There is no such method.",
                got=text,
                expected=f"{', '.join(methods())}, package.module:Class",
                remedy="Correct the method, which comes after the options of train; its own options follow it.",
            )
        choice = tyro.conf.arg(constructor_factory=partial(subcommands, text, parsed(text)), prefix_name=False)

        @dataclass(frozen=True)
        class Called(cls):  # type: ignore[valid-type,misc]
            method: Annotated[Method | None, choice] = None

        Called.__doc__ = cls.__doc__
        return Called

    def __call__(self) -> None:
        run, folder = (read_run(self.resume), self.resume) if self.resume else self._new()
        if train_run(run, folder, self.machine.device, self.machine.as_options()):
            _print_table(folder)
            say(f"The run lies in {folder}")

    def _new(self) -> tuple[Run, Path]:
        given = {"--data": self.data, "--setting": self.setting, "METHOD": self.method}
        missing = [name for name, value in given.items() if value is None]
        if self.data is None or self.setting is None or self.method is None:
            raise RunError(
                "A new run needs more.",
                got=f"no {', '.join(missing)}",
                expected=", ".join(given),
                remedy="Write for example: egonorm train --data kitchens:demo/kitchens --setting dg1:D1:D2 "
                "--preset demo rna, or go on with --resume RUN.",
            )
        run = self.training.configure(self.data, self.setting, self.method, self.seed)
        return run, self.out / run.name


@dataclass(frozen=True)
class Test:
    """Judge a trained run on a domain's test clips, also one that its setting does not name."""

    run: tyro.conf.Positional[Path]
    """The folder of a run."""
    domain: Annotated[str | None, named("NAME")] = None
    """Which domain; without it, the setting's target."""
    data: Annotated[str | None, named("KIND:PATH")] = None
    """The clips, when they have moved since the training."""
    average: Annotated[WindowAverage | None, named("{softmax,logits}")] = None
    """What is averaged over a clip's windows; where that is not what the run was judged by, it is told and not stored."""
    machine: tyro.conf.OmitArgPrefixes[MachineOptions] = field(default_factory=MachineOptions)

    def __call__(self) -> None:
        run, options = read_run(self.run), self.machine.as_options()
        rows = evaluate_run(run, self.run, self.domain, self.data, self.machine.device, options, self.average)
        if rows and self.average in (None, run.evaluation.average):
            _print_table(self.run)
        elif rows:
            say(f"Averaged over windows: {self.average}, which is not what the run was judged by. Nothing was stored.")
            for metric in dict.fromkeys(row.metric for row in rows if row.metric.startswith("top1")):
                values = [row.value for row in rows if row.metric == metric]
                say(f"{metric}: {fmean(values):.2f} %, the mean over {len(values)} checkpoints on {rows[0].n} clips")
            if (one_answer := chance({row.metric: (row.value, row.n) for row in rows})) is not None:
                say(f"chance: {one_answer:.2f} %, one answer for all clips")


def _print_table(folder: Path) -> None:
    say(render_table(summarise([folder], parse_selector("last-mean:9"), "last-mean:9"), "text"))
