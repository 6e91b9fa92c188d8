"""One run from its configuration to its rows: open the data, screen it, train, judge the last checkpoints, write rows."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from egonorm.bench.config import Run
from egonorm.bench.folder import LOG, checkpoints, claim, cut_log
from egonorm.bench.progress import bar
from egonorm.bench.screen import describe, needed, screen, write_left_out
from egonorm.bench.table import COMPLETE, Row, is_complete, read_rows, write_rows
from egonorm.core import DataError, RunError
from egonorm.data.dataset import Clips
from egonorm.data.manifest import Manifest
from egonorm.data.readers.protocol import Reader
from egonorm.data.sets import open_data
from egonorm.data.streams import evaluation_batches, training_batches
from egonorm.methods import check
from egonorm.nets.net import Net
from egonorm.train.checkpoint import load_network, read_metadata
from egonorm.train.evaluate import Predictions, judge
from egonorm.train.loop import address, train
from egonorm.train.objective import Objective
from egonorm.train.runtime import Runtime


@dataclass(frozen=True)
class Options:
    """What a run does without changing its numbers."""

    workers: int = 0
    """Processes that read clips; 0 reads in the training process."""
    skip_broken: bool = False
    """Leave out clips whose media are missing or broken, instead of refusing to start."""


def execute(run: Run, folder: Path, runtime: Runtime, options: Options) -> None:
    """Train and judge a run, or go on where it stopped; nothing is done for a complete one.

    Raises:
        SettingError: before any file is opened, for a method that cannot work in the setting.
        DataError: before training starts, for data that cannot be used.
        RunError: for a folder that is not this run's, or when saving fails.
    """
    check(run.method, run.setting, run.net.streams)
    runtime.share(run.optim.batch)
    data = open_data(run.data)
    manifest = needed(data.manifest, run.setting, _shows_target(run))
    if runtime.is_first:
        claim(folder, run, runtime)
    runtime.wait()
    if is_complete(folder):
        return
    readers = {name: data.reader(name, stream.input) for name, stream in run.net.streams.items()}
    manifest = _screened(manifest, readers, folder, runtime, options)
    needed(manifest, run.setting, _shows_target(run))
    _train(run, folder, _clips(run, manifest.keep(lambda c: c.split == "train"), readers), runtime, options)
    rows = [
        row
        for domain in run.setting.domains
        for row in _judge(run, folder, manifest, readers, domain, runtime, options)
    ]
    if runtime.is_first:
        write_rows(folder, [*rows, _complete(run, folder)])


def measure(run: Run, folder: Path, domain: str, runtime: Runtime, options: Options) -> None:
    """Judge a trained run on a domain's test clips, and put the rows among its others."""
    if not checkpoints(folder, run).saved():
        raise RunError(f"{folder} has no checkpoints yet.", got="a run that was not trained", expected="a trained run",
                       remedy=f"Run: egonorm train --resume {folder}")  # fmt: skip
    data = open_data(run.data)
    manifest = data.manifest.select([domain], "test")
    if not len(manifest):
        raise DataError(f"{run.data} has no test clips of {domain}.", got=domain,
                        expected=f"one of {', '.join(data.manifest.domains)}", remedy="Correct --domain.")  # fmt: skip
    readers = {name: data.reader(name, stream.input) for name, stream in run.net.streams.items()}
    manifest = _screened(manifest, readers, folder, runtime, options)
    found = _judge(run, folder, manifest, readers, domain, runtime, options)
    if runtime.is_first:
        rows = read_rows(folder)
        others = [row for row in rows if row.metric != COMPLETE and row.domain != domain]
        write_rows(folder, [*others, *found, *(row for row in rows if row.metric == COMPLETE)])


def build_net(run: Run, num_classes: int) -> Net:
    """The network of a run, with the same first weights for the same seed."""
    torch.manual_seed(address(run.seed, "net"))
    encoders = {name: stream.encoder.build() for name, stream in run.net.streams.items()}
    net = Net(encoders, num_classes, run.net.fusion, run.net.dropout)
    run.method.prepare(net)
    return net


def _shows_target(run: Run) -> bool:
    return run.setting.target_visible == "training" and "training" in run.method.target_use


def _clips(run: Run, manifest: Manifest, readers: Mapping[str, Reader]) -> Clips:
    inputs = {name: stream.input for name, stream in run.net.streams.items()}
    unlabelled = frozenset({run.setting.target} - set(run.setting.sources))
    return Clips(manifest, readers, inputs, run.net.span, run.seed, unlabelled)


def _screened(manifest: Manifest, readers, folder: Path, runtime: Runtime, options: Options) -> Manifest:
    with bar("Examining media", runtime.is_first) as progress:
        usable, problems = screen(manifest, readers, options.skip_broken, progress)
    if runtime.is_first and problems:
        write_left_out(folder, problems)
        print(f"Left out, and listed in {folder / 'left_out.json'}:\n{describe(problems)}")
    return usable


def _train(run: Run, folder: Path, clips: Clips, runtime: Runtime, options: Options) -> None:
    """Train from the last checkpoint, or from the start, to the last step."""
    net = build_net(run, len(clips.manifest.classes))
    model = runtime.wrap(Objective(net, run.method))
    optimizer = run.optim.build(net.parameters())
    saved = checkpoints(folder, run)
    first = saved.resume(net, optimizer) + 1
    if runtime.is_first:
        cut_log(folder, first - 1)
    domains = run.setting.domains if _shows_target(run) else run.setting.sources
    batches = training_batches(clips, domains, run.optim.batch, first, run.optim.steps, options.workers,
                               runtime.rank, runtime.num_ranks)  # fmt: skip
    began = time.monotonic()
    title = f"Training {run.method.name()} on {'+'.join(run.setting.sources)}"
    with bar(title, runtime.is_first) as progress, (folder / LOG).open("a") as log:

        def done(step: int, terms, norms) -> None:
            if not runtime.is_first:
                return
            floats = lambda tree: {name: float(x.detach()) for name, x in tree.items()}  # noqa: E731
            entry = {"step": step, "lr": run.optim.lr_at(step), "terms": floats(terms), "norms": floats(norms)}
            log.write(json.dumps(entry | {"seconds": round(time.monotonic() - began, 3)}) + "\n")
            if saved.is_due(step):
                log.flush()
                saved.save(step, net, optimizer, clips.manifest.classes)
            progress(step, run.optim.steps)

        train(model, optimizer, run.optim, batches, first, run.seed, runtime, done)
    runtime.wait()


def _judge(
    run: Run, folder: Path, manifest: Manifest, readers, domain: str, runtime: Runtime, options: Options
) -> list[Row]:
    """The rows of one domain's test clips, for every checkpoint that was kept; the predictions are written too."""
    saved = checkpoints(folder, run)
    nets = {step: build_net(run, len(manifest.classes)).to(runtime.device) for step in saved.saved()}
    for step, net in nets.items():
        learnt = read_metadata(saved.path(step))["classes"]
        if learnt != list(manifest.classes):
            raise DataError(f"{run.data} has other classes than the run was trained on.", got=", ".join(manifest.classes),
                            expected=", ".join(learnt),
                            remedy="Test on data with the same classes in the same order.")  # fmt: skip
        load_network(saved.path(step), net)
    clips = replace(_clips(run, manifest.select([domain], "test"), readers), unlabelled=frozenset())
    batches = evaluation_batches(
        clips, run.evaluation.num_windows, run.optim.batch, options.workers, runtime.rank, runtime.num_ranks
    )
    with bar(f"Testing {run.method.name()} on {domain}", runtime.is_first) as progress:
        found = judge(
            nets, _counted(batches, len(clips), run.evaluation.num_windows, progress, runtime), run.evaluation, runtime
        )
    if runtime.is_first:
        for step, predictions in found.items():
            _write_predictions(folder / "predictions" / f"{step:06d}-{domain}.npz", predictions, manifest.classes)
    return [
        _row(run, folder, step, domain, *item, len(p.uids)) for step, p in found.items() for item in p.measure().items()
    ]


def _counted(batches, total: int, num_windows: int, progress, runtime: Runtime):
    done = 0
    for seen in batches:
        yield seen
        done += len(seen[0]) // num_windows * runtime.num_ranks
        progress(min(done, total), total)


def _row(run: Run, folder: Path, step: int, domain: str, metric: str, value: float, n: int) -> Row:
    return Row(folder.name, run.method.name(), str(run.setting), run.seed, step, "test", domain, metric, value, n)


def _complete(run: Run, folder: Path) -> Row:
    return replace(_row(run, folder, run.optim.steps, run.setting.target, COMPLETE, 1.0, 0), split="")


def _write_predictions(path: Path, predictions: Predictions, classes: tuple[str, ...]) -> None:
    path.parent.mkdir(exist_ok=True)
    arrays = {f"scores/{name}": x for name, x in predictions.scores.items()}
    arrays |= {f"norms/{name}": x for name, x in predictions.norms.items()}
    np.savez_compressed(
        path, uids=np.array(predictions.uids), labels=predictions.labels, classes=np.array(classes), **arrays
    )
