"""Judge trained networks on clips: scores of every modality and of their fusion, and the lengths of the features."""

import ctypes
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from egonorm.core import Batch
from egonorm.core.training import FUSED, Evaluation
from egonorm.losses import norms
from egonorm.metrics import answer_share, mean_class_accuracy, mean_norm_difference, recall, top1, top_share
from egonorm.nets.net import Net
from egonorm.training.adapt import OnlineAdaptation
from egonorm.training.runtime import Runtime

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
"""What glibc's `mallopt` calls by these numbers (`malloc.h`)."""
_USUAL = {_MMAP_MAX: 65536, _MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 64 << 20}
"""glibc's own limits, the last two as its thresholds are once large blocks have been freed."""


@contextmanager
def kept_heap(device: torch.device) -> Iterator[None]:
    """On a CPU with glibc, keep what is freed until the end; elsewhere do nothing.

    Every activation of a large batch is otherwise a mapping of its own, of which the system clears each page at the first touch:
    a fifth of the time of a forward pass. In training the gaps between tensors that live differently long would cost more memory
    than is worth the time (a sixth more for a tenth less), so only passes without gradients are put in here.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" and device.type == "cpu" else None
    if library is None or not hasattr(library, "mallopt"):
        yield
        return
    library.mallopt(_MMAP_MAX, 0)
    library.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        for limit, value in _USUAL.items():
            library.mallopt(limit, value)
        library.malloc_trim(0)


@dataclass(frozen=True)
class Predictions:
    """What one network says of a domain's clips. Arrays have a row a clip."""

    uids: tuple[str, ...]
    labels: np.ndarray
    scores: dict[str, np.ndarray]
    """Per modality and `fused`: `clip label`."""
    norms: dict[str, np.ndarray]
    """Per modality: `clip`, the mean over its windows."""
    shares: dict[str, np.ndarray]
    """Per modality: `clip`, the mean over its windows of the share of the norm that the largest numbers make."""

    def measure(self, classes: Sequence[str]) -> dict[str, tuple[float, int]]:
        """Every metric by its name, and on how many clips; those of one modality or class as `metric/name`."""
        values = {"top1": top1(self.scores[FUSED], self.labels)}
        values["mean_class_accuracy"] = mean_class_accuracy(self.scores[FUSED], self.labels)
        values |= {f"top1/{m}": top1(self.scores[m], self.labels) for m in self.norms}
        means = {m: float(x.mean()) for m, x in self.norms.items()}
        values |= {f"mean_norm/{m}": value for m, value in means.items()}
        values |= {f"mean_norm_difference/{pair}": d for pair, d in mean_norm_difference(means).items()}
        values |= {f"answer_share/{m}": answer_share(self.scores[m]) for m in self.norms}
        values |= {f"norm_share/{m}": 100 * float(x.mean()) for m, x in self.shares.items()}
        of_classes = {f"recall/{classes[k]}": x for k, x in recall(self.scores[FUSED], self.labels).items()}
        return {metric: (value, len(self.uids)) for metric, value in values.items()} | of_classes


def judge(
    nets: Mapping[int, Net],
    batches: Iterable[tuple[Batch, ...]],
    evaluation: Evaluation,
    runtime: Runtime,
    adaptations: Mapping[int, OnlineAdaptation] | None = None,
) -> dict[int, Predictions]:
    """The predictions of several checkpoints on the same clips, each clip read once; all processes' clips together.

    Nets with an adaptation are changed by each batch before they predict it. What a batch changes, the next ones see, so every
    process is then given all batches, and does the same.
    """
    adapts = adaptations or {}
    parts: dict[int, list[Predictions]] = {step: [] for step in nets}
    with kept_heap(runtime.device):
        for (seen,) in batches:
            for step, net in nets.items():
                if step in adapts:
                    adapts[step].show(seen)
                parts[step].append(_predict(net, seen, evaluation, runtime))
    for adaptation in adapts.values():
        adaptation.finish()
    collected = [parts] if adapts else runtime.collect(parts)
    return {step: _join([part for everyone in collected for part in everyone[step]]) for step in nets}


@torch.inference_mode()
def _predict(net: Net, batch: Batch, evaluation: Evaluation, runtime: Runtime) -> Predictions:
    assert batch.labels is not None
    with runtime.autocast():
        features = net.eval().features(batch.inputs)
    logits = {FUSED: net.classify(features)} | net.classify_each(features)
    per_clip = lambda x: x.float().unflatten(0, (-1, evaluation.num_windows)).mean(dim=1).cpu().numpy()  # noqa: E731
    score = (lambda x: x.float().softmax(dim=1)) if evaluation.average == "softmax" else (lambda x: x)
    return Predictions(
        batch.uids[:: evaluation.num_windows],
        batch.labels[:: evaluation.num_windows].cpu().numpy(),
        {name: per_clip(score(x)) for name, x in logits.items()},
        {name: per_clip(norms(x)) for name, x in features.items()},
        {name: per_clip(top_share(x)) for name, x in features.items()},
    )


def _join(parts: list[Predictions]) -> Predictions:
    """The parts' clips with labels, sorted by uid so that the number of processes does not matter."""
    uids = [uid for part in parts for uid in part.uids]
    order = np.argsort(np.array(uids), kind="stable")
    order = order[np.concatenate([part.labels for part in parts])[order] >= 0]
    join = lambda arrays: np.concatenate(arrays)[order]  # noqa: E731
    return Predictions(
        tuple(uids[k] for k in order),
        join([part.labels for part in parts]),
        {name: join([part.scores[name] for part in parts]) for name in parts[0].scores},
        {name: join([part.norms[name] for part in parts]) for name in parts[0].norms},
        {name: join([part.shares[name] for part in parts]) for name in parts[0].shares},
    )
