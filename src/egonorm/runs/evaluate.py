"""From a run's checkpoints and a domain's test clips to predictions and rows."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from egonorm.core import Batch, DataError
from egonorm.core.files import write_atomically
from egonorm.core.progress import bar
from egonorm.data.loader import evaluation_batches
from egonorm.data.manifest import Manifest
from egonorm.data.readers.protocol import Reader
from egonorm.nets.fuse_bn import fold_in_place
from egonorm.nets.net import Net
from egonorm.runs.build import load_trained
from egonorm.runs.context import Trial
from egonorm.runs.results import Row, predictions_of
from egonorm.train.evaluate import Predictions, judge


def judge_domain(trial: Trial, manifest: Manifest, readers: Mapping[str, Reader], domain: str) -> list[Row]:
    """The rows of one domain's test clips for every checkpoint that was kept; their predictions are written too."""
    run, runtime = trial.run, trial.runtime
    windows, tests = run.evaluation.num_windows, trial.clips(manifest.select([domain], "test"), readers)
    batches = evaluation_batches(
        tests, windows, run.optim.batch, trial.options.workers, runtime.device, runtime.rank, runtime.num_ranks
    )
    nets = _load(trial, manifest.classes)
    moments = trial.target_moments if domain == run.setting.target else frozenset()
    if "after" in moments:
        _adapt(trial, manifest.select([domain], "train"), readers, nets)
    adapt = run.method.adapt if "test" in moments else None
    nets = nets if adapt else {step: fold_in_place(net) for step, net in nets.items()}
    with bar(f"Testing {run.method.name()} on {domain}", trial.speaks) as progress:
        counted = _counted(batches, len(tests), runtime.num_ranks / windows, progress)
        found = judge(nets, counted, run.evaluation, runtime, adapt)
    if runtime.is_first:
        for step, predictions in found.items():
            _write(predictions_of(trial.folder, step, domain), predictions, manifest.classes)
    return [
        make_row(trial, step, domain, metric, value, n)
        for step, predictions in found.items()
        for metric, (value, n) in predictions.measure(manifest.classes).items()
    ]


def _adapt(trial: Trial, target: Manifest, readers: Mapping[str, Reader], nets: Mapping[int, Net]) -> None:
    """Let the method change each network by the target's training clips; every process shows it all of them."""
    unseen = trial.clips(target, readers, unlabelled=frozenset(target.domains))
    size, runtime = trial.run.optim.batch, trial.runtime
    for net in nets.values():
        batches = evaluation_batches(unseen, 1, size, trial.options.workers, runtime.device)
        with runtime.autocast():
            trial.run.method.adapt(net, (batch for (batch,) in batches))


def make_row(trial: Trial, step: int, domain: str, metric: str, value: float, n: int) -> Row:
    """A number of this trial."""
    run = trial.run
    return Row(
        trial.folder.resolve().name,
        run.method.name(),
        str(run.setting),
        run.seed,
        step,
        "test",
        domain,
        metric,
        value,
        n,
    )


def _load(trial: Trial, classes: tuple[str, ...]) -> dict[int, Net]:
    """The kept networks by step. DataError when they were trained on other classes."""
    nets, net = {}, None
    for step in trial.checkpoints.saved():
        net, learnt = load_trained(trial.folder, trial.run, step, like=net)
        if learnt != classes:
            raise DataError(
                f"{trial.run.data} has other classes than the run was trained on.",
                got=", ".join(classes),
                expected=", ".join(learnt),
                remedy="Test on data with the same classes in the same order.",
            )
        nets[step] = net.to(trial.runtime.device)
    return nets


def _counted(batches, total: int, clips_a_window: float, progress) -> Iterator[tuple[Batch, ...]]:
    """The same batches, with the progress told in clips, over all processes."""
    done = 0.0
    for seen in batches:
        yield seen
        done += len(seen[0]) * clips_a_window
        progress(min(round(done), total), total)


def _write(path: Path, predictions: Predictions, classes: tuple[str, ...]) -> None:
    arrays = {f"scores/{name}": x for name, x in predictions.scores.items()}
    arrays |= {f"norms/{name}": x for name, x in predictions.norms.items()}
    uids, labels = np.array(predictions.uids), predictions.labels
    file = io.BytesIO()
    np.savez_compressed(file, uids=uids, labels=labels, classes=np.array(classes), **arrays)
    write_atomically(path, file.getvalue())
