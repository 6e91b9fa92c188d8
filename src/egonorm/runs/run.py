"""One run from its configuration to its rows: open the data, screen it, train, judge the last checkpoints, write rows."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TextIO

from egonorm.core import DataError, RunError
from egonorm.core.files import saving
from egonorm.core.progress import bar
from egonorm.data.dataset import Clips
from egonorm.data.loader import training_batches
from egonorm.data.manifest import Manifest
from egonorm.data.sets import open_data
from egonorm.methods import check
from egonorm.runs.build import build_net
from egonorm.runs.checks import LEFT_OUT, needed, refuse_learnt, usable
from egonorm.runs.context import Trial
from egonorm.runs.directory import claim, note_start, refuse_foreign
from egonorm.runs.evaluate import judge_domain, make_row
from egonorm.runs.results import COMPLETE, is_complete, read_rows, write_rows
from egonorm.runs.reuse import take_over
from egonorm.runs.train_log import LOG
from egonorm.train.loop import make_optimizer, train
from egonorm.train.monitor import CLASSES_EVERY, Glance, of_classes, of_domains
from egonorm.train.objective import Objective

SPARE = 30.0
"""Seconds of training that a kill may cost: checkpoints that are not judged are only there to go on from."""


def execute(trial: Trial) -> None:
    """Train and judge a run, or go on where it stopped; nothing is done for a complete one.

    Raises:
        SettingError: before any file is opened, for a method that cannot work in the setting.
        DataError: before training starts, for data that cannot be used.
        RunError: for a folder that is not this run's, or when saving fails.
    """
    run, setting = trial.run, trial.run.setting
    check(run.method, setting, run.net.streams)
    trial.runtime.share(run.optim.batch)
    trial.runtime.share(run.optim.batch // run.optim.pieces, "micro-batch")
    data = open_data(run.data)
    refuse_learnt(data, setting, run.net.streams)
    manifest = needed(data.manifest, setting, trial.trained_on)
    refuse_foreign(trial.folder, run)
    if is_complete(trial.folder):
        return
    readers = trial.readers(data)
    whole, problems = trial.screened(manifest, readers, LEFT_OUT)
    manifest = usable(whole, setting, trial.trained_on, left_out=len(manifest) - len(whole))
    with _claimed(trial):
        trial.note_left_out(problems, LEFT_OUT)
        unlabelled = frozenset({setting.target} - set(setting.sources))
        _train(trial, trial.clips(manifest.select(manifest.domains, "train"), readers, unlabelled))
        judged = [domain for domain in setting.domains if len(manifest.select([domain], "test"))]
        rows = [row for domain in judged for row in judge_domain(trial, manifest, readers, domain)]
        if trial.runtime.is_first:
            write_rows(trial.folder, [*rows, make_row(trial, run.optim.steps, setting.target, COMPLETE, 1.0, 0)])


def measure(trial: Trial, domain: str) -> None:
    """Judge a trained run on a domain's test clips, and put the rows among its others.

    Raises:
        RunError: for a run without checkpoints.
        DataError: for a domain without test clips, or data that cannot be used.
    """
    if not trial.checkpoints.saved():
        raise RunError(
            f"{trial.folder} has no checkpoints yet.",
            got="a run that was not trained",
            expected="a trained run",
            remedy=f"Run: egonorm train --resume {trial.folder}",
        )
    data = open_data(trial.run.data)
    adapts = "after" in trial.target_moments and domain == trial.run.setting.target
    splits = ("train", "test") if adapts else ("test",)
    wanted, readers = data.manifest.within({split: [domain] for split in splits}), trial.readers(data)
    _need_tests(trial, wanted, domain, data.manifest)
    listing = f"left_out-{domain}.json"
    manifest, problems = trial.screened(wanted, readers, listing)
    trial.note_left_out(problems, listing)
    _need_tests(trial, manifest, domain, data.manifest)
    found = judge_domain(trial, manifest, readers, domain)
    if trial.runtime.is_first:
        rows = read_rows(trial.folder)
        others = [row for row in rows if row.metric != COMPLETE and row.domain != domain]
        write_rows(trial.folder, [*others, *found, *(row for row in rows if row.metric == COMPLETE)])


def _need_tests(trial: Trial, manifest: Manifest, domain: str, whole: Manifest) -> None:
    if not len(manifest.select([domain], "test")):
        raise DataError(
            f"{trial.run.data} has no usable test clips of {domain}.",
            got=f"{len(whole.select([domain], 'test'))} in the manifest",
            expected=f"usable test clips of one of {', '.join(whole.domains)}",
            remedy="Correct --domain, or mend the media.",
        )


@contextmanager
def _claimed(trial: Trial) -> Iterator[None]:
    """The first process claims the folder; what it refuses, all refuse."""
    with ExitStack() as stack:
        refusal = None
        if trial.runtime.is_first:
            try:
                stack.enter_context(claim(trial.folder, trial.run))
            except RunError as error:
                refusal = error
        refusal = trial.runtime.collect(refusal)[0]
        if refusal is not None:
            raise refusal
        yield


def _train(trial: Trial, clips: Clips) -> None:
    """Train from the last checkpoint, or from the start, to the last step."""
    run, runtime, manifest = trial.run, trial.runtime, clips.manifest
    about = {"classes": list(manifest.classes), "clips": manifest.digest()}
    take_over(trial, about)
    net = build_net(run, len(manifest.classes), pretrained=trial.checkpoints.last_step() == 0)
    model = runtime.wrap(Objective(net, run.method, run.optim.pieces))
    optimizer = make_optimizer(run.optim, net.parameters())
    first = runtime.agree(trial.checkpoints.resume(net, optimizer, about), "the last checkpoint's step") + 1
    domains = run.setting.domains if "training" in trial.target_moments else run.setting.sources
    batches = training_batches(
        clips,
        domains,
        run.optim.batch,
        first,
        run.optim.steps,
        trial.options.workers,
        runtime.device,
        runtime.rank,
        runtime.num_ranks,
    )
    title = f"Training {run.method.name()} on {'+'.join(run.setting.sources)}"
    with bar(title, trial.speaks) as progress, _log(trial, first) as log:
        save = lambda step: trial.checkpoints.save(step, net, optimizer, about)  # noqa: E731
        done = _recorder(trial, log, manifest.classes, save, progress) if runtime.is_first else lambda *_: None
        train(model, optimizer, run.optim, batches, first, run.seed, runtime, done)
    runtime.wait()


@contextmanager
def _log(trial: Trial, first: int) -> Iterator[TextIO | None]:
    """The log of training, a line a step, written by the first process alone; nothing when there is nothing to train."""
    if not trial.runtime.is_first or first > trial.run.optim.steps:
        yield None
        return
    note_start(trial.folder, trial.runtime, first - 1)
    with (trial.folder / LOG).open("a", buffering=1) as log:
        yield log


def _recorder(trial: Trial, log: TextIO | None, classes: Sequence[str], save: Callable, progress: Callable) -> Callable:
    """What follows each step: a line in the log, a checkpoint when it is due, the bar."""
    optim, began = trial.run.optim, time.monotonic()
    saved = began

    def done(step: int, terms: Mapping[str, float], seen: Sequence[Glance]) -> None:
        nonlocal saved
        entry = {"step": step, "lr": optim.lr_at(step), "terms": terms} | of_domains(seen)
        if step % CLASSES_EVERY == 0 or step == optim.steps:
            entry["classes"] = of_classes(seen, classes)
        with saving(trial.folder / LOG):
            log.write(json.dumps(entry | {"seconds": round(time.monotonic() - began, 3)}) + "\n")
        spared = time.monotonic() - saved < SPARE and not trial.checkpoints.is_judged(step)
        if trial.checkpoints.is_due(step) and not spared:
            save(step)
            saved = time.monotonic()
        progress(step, optim.steps)

    return done
