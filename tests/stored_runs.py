"""Folders of complete runs as training leaves them, from given hits instead of training."""

import hashlib
from dataclasses import replace

import numpy as np
from msgspec.structs import replace as changed

from egonorm.core import Setting
from egonorm.methods import SourceOnly
from egonorm.metrics import recall, top1
from egonorm.runs.config import Run, predictions_of, to_json
from egonorm.runs.presets import demo
from egonorm.runs.results import COMPLETE, Row, write_rows
from egonorm.sweeps.plan import make_plan

CLASSES = ("cut", "put", "take")


def labels_of(domain, n):
    """The labels of a domain's clips: the same in every run."""
    return np.random.default_rng(list(domain.encode())).integers(len(CLASSES), size=n)


def drawn_hits(run, domain, n, accuracy, num_steps=2):
    """Hits of each checkpoint, `step clip`, drawn from an address: clips that are hard for one run are so for all."""
    clips = np.random.default_rng([1, *domain.encode()]).random(n)
    own = np.random.default_rng(list(hashlib.sha256(f"{run.name}/{domain}".encode()).digest()))
    return clips * 0.7 + own.random((num_steps, n)) * 0.3 < accuracy


def store(out, run, hits, uids=None, labels=None, first_step=10, complete=True):
    """A run's folder. `hits` has for each domain an array `step clip`; `uids` may name clips other than the first ones."""
    folder = out / run.name
    (folder / "predictions").mkdir(parents=True)
    (folder / "config.json").write_text(to_json(run))
    rows = []
    for domain, steps in hits.items():
        for k, right in enumerate(np.asarray(steps, dtype=bool)):
            rows += _judged(folder, run, first_step * (k + 1), domain, right, uids, labels)
    last = Row(
        folder.name, run.method.name(), str(run.setting), run.seed, 0, "test", run.setting.target, COMPLETE, 1.0, 0
    )
    write_rows(folder, rows + [last] * complete)
    return folder


def _judged(folder, run, step, domain, right, uids, labels):
    n = len(right)
    uids = [f"{domain}_{k:04d}" for k in range(n)] if uids is None else uids
    labels = labels_of(domain, n) if labels is None else np.asarray(labels)
    scores = np.eye(len(CLASSES), dtype=np.float32)[np.where(right, labels, (labels + 1) % len(CLASSES))]
    norms = {"norms/rgb": np.full(n, 3.0, np.float32), "norms/audio": np.full(n, 7.0, np.float32)}
    np.savez_compressed(
        predictions_of(folder, step, domain),
        uids=np.array(uids),
        labels=labels,
        classes=np.array(CLASSES),
        **{"scores/fused": scores},
        **norms,
    )
    row = Row(
        folder.name,
        run.method.name(),
        str(run.setting),
        run.seed,
        step,
        "test",
        domain,
        "top1",
        top1(scores, labels),
        n,
    )
    recalls = recall(scores, labels)
    mean_class = changed(row, metric="mean_class_accuracy", value=float(np.mean([x for x, _ in recalls.values()])))
    per_class = [changed(row, metric=f"recall/{CLASSES[k]}", value=x, n=count) for k, (x, count) in recalls.items()]
    return [row, mean_class, changed(row, metric="mean_norm/rgb", value=3.0), *per_class]


def plain_run(setting="dg1:D1:D2", method=None, seed=0, data="kitchens:/data/kitchens", **changes):
    """A run of the demo's network, whose data nobody opens."""
    preset = demo()
    run = Run(data, Setting.parse(setting), preset.net, method or SourceOnly(), preset.optim, preset.evaluation, seed)
    return replace(run, **changes)


def store_suite(out, parts, sizes, seeds, accuracy, base=None, radius=11.0):
    """Every run of the parts in D1, D2 and D3, with hits drawn at the accuracy of its method's name."""
    base = base or plain_run()
    plan = make_plan(parts, base, ("D1", "D2", "D3"), seeds, {"radius": radius})
    for run in (planned.run for planned in plan.runs):
        share = accuracy.get(run.method.name(), accuracy["others"])
        store(out, run, {d: drawn_hits(run, d, sizes[d], share) for d in run.setting.domains})
