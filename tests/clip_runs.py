"""Runs of untrained networks whose checkpoint is on disk, so that clips can be saved of them without training."""

from dataclasses import replace
from pathlib import Path

import torch

from egonorm.core import Setting
from egonorm.core.tensors import write_tensors
from egonorm.data.sets import open_clip_set
from egonorm.data.sets.features.store import Description, Modality, write_description, write_features
from egonorm.data.windows import Span
from egonorm.methods import SourceOnly
from egonorm.nets.net import network_of
from egonorm.runs.config import CHECKPOINTS, Run, read_stored, to_json
from egonorm.runs.presets import configure, demo
from egonorm.runs.results import COMPLETE, Record, Row, write_rows

STEP = 4


def narrow_run(data: str, modalities: tuple[str, ...] = ("rgb", "audio"), **changes) -> Run:
    """A run of the demo's narrowest networks, two windows a clip."""
    preset = demo()
    net = replace(preset.choose(modalities).widen(0.0625), fusion=changes.pop("fusion", "sum"))
    return replace(
        Run(data, Setting.parse("dg1:D1:D2"), net, evaluation=replace(preset.evaluation, num_windows=2)), **changes
    )


def keep(run: Run, out: Path, classes: tuple[str, ...] | None = None) -> Record:
    """A complete run's folder with the network's first weights, as the checkpoint of `STEP`; it was judged on nothing."""
    folder = out / run.name
    path = network_of(folder / CHECKPOINTS, STEP)
    path.parent.mkdir(parents=True)
    classes = open_clip_set(run.data).manifest.classes if classes is None else classes
    weights = {name: x.contiguous() for name, x in run.build_net(len(classes)).state_dict().items()}
    write_tensors(path, weights, {"step": STEP, "classes": list(classes), "clips": "none"})
    (folder / "config.json").write_text(to_json(run))
    about = (folder.name, run.method.name(), str(run.setting), run.seed)
    rows = [Row(*about, STEP, "test", "D2", "top1", 0.0, 8), Row(*about, STEP, "test", "D2", COMPLETE, 1.0, 0)]
    write_rows(folder, rows)
    return Record.of(read_stored(folder), rows[:1], (STEP,))


def store_of(root: Path, data: str) -> str:
    """Random features of the clips of some data, as a store."""
    manifest, span = open_clip_set(data).manifest, Span(8, 4, 30.0)
    draw = torch.Generator().manual_seed(0)
    starts = torch.tensor([[clip.start, clip.start + 0.1] for clip in manifest.clips], dtype=torch.float64)
    for name in ("rgb", "audio"):
        write_features(root, name, torch.randn(len(manifest), 2, 6, generator=draw), starts)
    about = {name: Modality(6, "i3d", "a test") for name in ("rgb", "audio")}
    write_description(root, Description(about, span, 2, manifest.classes, manifest.digest(), data), manifest)
    return f"features:{root}"


def features_run(data: str) -> Run:
    """A run on features, of the narrowest layers."""
    return configure(data, "dg1:D1:D2", SourceOnly(), "features", width=0.01)
