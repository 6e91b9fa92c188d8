"""The two loops over batches: training descends an objective and notes each step; judging predicts a domain's clips.

Encoders pass in pieces where memory is short.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from egonorm.core import Batch, NotFiniteError, RunError, Seen, Terms, View
from egonorm.core.training import FUSED, Evaluation, Optim, seed_for
from egonorm.losses import norms
from egonorm.methods import Method
from egonorm.methods.base import changes_gradients, class_loss
from egonorm.metrics import answer_share, mean_class_accuracy, mean_norm_difference, recall, top1, top_share
from egonorm.nets.net import Net
from egonorm.training.adapt import OnlineAdaptation
from egonorm.training.optimizer import check_optimizer
from egonorm.training.runtime import Runtime, gather, kept_heap

CLASSES_EVERY = 10
"""Steps from one note of the classes to the next; the last step has one too."""


@dataclass(frozen=True)
class StepStats:
    """A number a clip of one view, without gradients."""

    domain: str
    norms: dict[str, Tensor]
    """Per modality, the length of its feature: `clip`."""
    hits: Bool[Tensor, " clip"] | None
    """Whether the fused logits, as they are in training, put the label first; None without labels, as these."""
    labels: Int[Tensor, " clip"] | None


def step_stats(view: View) -> StepStats:
    """What is noted of a view; it stays on the view's device."""
    lengths = {name: norms(x.detach()) for name, x in view.features.items()}
    hits = None if view.labels is None else view.logits.detach().argmax(dim=1) == view.labels
    return StepStats(view.domain, lengths, hits, view.labels)


def to_cpu(glances: Sequence[StepStats]) -> tuple[StepStats, ...]:
    """The same on the CPU; the device is waited for once."""
    columns = [x for seen in glances for x in (*seen.norms.values(), seen.hits, seen.labels) if x is not None]
    numbers = iter(torch.cat(columns).cpu().split([len(x) for x in columns]))
    return tuple(
        StepStats(
            seen.domain,
            {name: next(numbers) for name in seen.norms},
            None if seen.hits is None else next(numbers).bool(),
            None if seen.labels is None else next(numbers).long(),
        )
        for seen in glances
    )


def of_domains(glances: Sequence[StepStats]) -> dict[str, dict[str, float]]:
    """Mean norms as `domain/modality`, and the accuracy of each domain that has labels, in percent."""
    means = {f"{seen.domain}/{name}": float(x.mean()) for seen in glances for name, x in seen.norms.items()}
    hits = {seen.domain: 100 * float(seen.hits.double().mean()) for seen in glances if seen.hits is not None}
    return {"norms": means, "accuracy": hits}


def of_classes(glances: Sequence[StepStats], classes: Sequence[str]) -> dict[str, dict[str, dict]]:
    """Per domain with labels and class with clips: how many, their accuracy in percent, and their mean norms."""
    labelled = [seen for seen in glances if seen.labels is not None]
    return {seen.domain: _by_class(seen, classes) for seen in labelled}


def _by_class(seen: StepStats, classes: Sequence[str]) -> dict[str, dict]:
    present, places, counts = torch.unique(seen.labels, return_inverse=True, return_counts=True)
    of = lambda x: (torch.zeros(len(present)).double().index_add_(0, places, x.double()) / counts).tolist()  # noqa: E731
    lengths, hits = {name: of(x) for name, x in seen.norms.items()}, of(seen.hits)
    return {
        classes[label]: {"n": n, "accuracy": 100 * hits[k], "norms": {name: x[k] for name, x in lengths.items()}}
        for k, (label, n) in enumerate(zip(present.tolist(), counts.tolist(), strict=True))
    }


def encode_in_pieces(net: Net, inputs: Mapping[str, Tensor], pieces: int) -> dict[str, Float[Tensor, "clip _"]]:
    """What each modality's encoder makes of a batch, in so many equal pieces one after the other; in one piece, as usual.

    Of a piece nothing is kept but its input and its features. Once the gradient of the loss with respect to the features of the
    whole batch is known, each piece passes a second time, with all that its own backward pass needs, and that is freed before
    the next one does. Both times the piece has the same batch-norm statistics, its own, and the same random numbers; the
    running averages hear of it once.

    Piece k is every `pieces`-th row from row k on. The rows that several processes have in their pieces k are then those that
    one process has in its piece k, and so are the statistics.
    """
    if pieces == 1:
        return {name: net.encode(name, inputs[name]) for name in net.encoders}
    found = {}
    for name, encoder in net.encoders.items():
        passes = partial(_passes, encoder)
        rows = [inputs[name][k::pieces] for k in range(pieces)]
        parts = [checkpoint(net.encode, name, x, use_reentrant=False, context_fn=passes) for x in rows]
        found[name] = torch.stack(parts, dim=1).flatten(0, 1)
    return found


def _passes(encoder: nn.Module):
    """What surrounds the first pass of a piece, and each later one: one for every backward pass."""
    return nullcontext(), _Unheard(encoder)


class _Unheard:
    """Let what the encoder notes of its input, the running averages, be noted on copies that are thrown away.

    Putting the old values back instead would change tensors that the graph of the second pass holds.
    """

    def __init__(self, encoder: nn.Module):
        self._encoder = encoder
        self._own: list[tuple[nn.Module, str, Tensor]] = []

    def __enter__(self) -> None:
        parts = self._encoder.modules()
        self._own = [(part, name, x) for part in parts for name, x in part.named_buffers(recurse=False)]
        for part, name, x in self._own:
            setattr(part, name, x.clone())

    def __exit__(self, *error) -> None:
        for part, name, x in self._own:
            setattr(part, name, x)


class Objective(nn.Module):
    """The class loss of every labelled view, and the method's terms.

    Each domain's batch passes the network on its own, so batch norm never mixes domains within a step while its running
    averages see them in turn. The features are gathered from all processes before anything is computed of them: losses of
    batch statistics, such as relative norms, need the global batch. Losses are float32 whatever the precision.

    A batch may pass the encoders in `pieces`, for memory; all behind them sees it whole.
    """

    def __init__(self, net: Net, method: Method, pieces: int = 1):
        super().__init__()
        self.net, self.method, self.pieces = net, method, pieces

    @property
    def changes_gradients(self) -> bool:
        """Whether the method has a backward pass of its own."""
        return changes_gradients(self.method)

    def forward(self, batches: Sequence[Batch], progress: float) -> tuple[Terms, Seen]:
        """The terms of one step, and what is seen of each domain; `progress` goes from 0 to 1."""
        features = [self.net.apply_necks(encode_in_pieces(self.net, batch.inputs, self.pieces)) for batch in batches]
        with torch.autocast(next(self.net.parameters()).device.type, enabled=False):
            views = tuple(self._view(batch, found) for batch, found in zip(batches, features, strict=True))
            seen = Seen(views, progress)
            terms = {"class": class_loss(seen)}
            terms |= _checked(self.method, self.method.terms(seen, self.net))
        return terms, seen

    def backward(self, terms: Terms, seen: Seen) -> None:
        """Give every parameter its gradient, as the method does.

        Raises:
            RunError: for a method after whose own backward pass no parameter has one.
        """
        self.method.backward(terms, seen, self.net)
        if self.changes_gradients and all(parameter.grad is None for parameter in self.net.parameters()):
            raise RunError(
                f"The method {self.method.name()} trains nothing.",
                got="no gradient after its backward",
                expected="gradients of the network's parameters",
                remedy="Call super().backward(terms, seen, net) in it, or the backward of a loss of its own.",
            )

    def _view(self, batch: Batch, features: dict[str, Tensor]) -> View:
        features = {name: gather(x) for name, x in features.items()}
        labels = None if batch.labels is None else gather(batch.labels)
        return View(batch.domain, features, self.net.classify(features), labels)


def _checked(method: Method, terms: object) -> Terms:
    """A method's terms. RunError when they are something else."""
    told = f"The terms of the method {method.name()} cannot be used."
    expected = "a dictionary from names to tensors of one number each"
    if not isinstance(terms, dict):
        raise RunError(
            told, got=type(terms).__name__, expected=expected, remedy="Return such a dictionary; {} for none."
        )
    for name, term in terms.items():
        if not isinstance(term, Tensor) or term.dim():
            shape = f"a tensor of shape {tuple(term.shape)}" if isinstance(term, Tensor) else type(term).__name__
            remedy = "Take its mean over clips, or its sum; multiply it by the weight."
            raise RunError(told, got=f"{name}: {shape}", expected=expected, remedy=remedy)
    return terms


def train_steps(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    optim: Optim,
    batches: Iterable[Sequence[Batch]],
    first: int,
    seed: int,
    runtime: Runtime,
    done: Callable[[int, dict[str, float], tuple[StepStats, ...]], None],
) -> None:
    """Train from step `first` to the last; `done` hears of every step: its number, its terms and what was seen.

    A GPU is waited for once a step, when its gradients are there: what is values comes then, and the update goes on meanwhile.

    All randomness of a step follows from the seed and its number, so a run that goes on equals one that never stopped: on CPUs
    to the byte, on GPUs up to the order in which they sum.

    Any optimiser of torch will do; a group of its parameters with an `lr_factor` learns at that times the schedule's rate.

    Raises:
        RunError: for an optimiser whose step computes the loss itself.
        NotFiniteError: at the first step with a term that is infinite or not a number; nothing is updated by it.
    """
    check_optimizer(optimizer)
    model.train()
    for step, batch_of_each in enumerate(batches, start=first):
        runtime.seed(seed_for(seed, "step", step))
        for group in optimizer.param_groups:
            group["lr"] = optim.lr_at(step) * group.get("lr_factor", 1.0)
        with runtime.autocast():
            terms, seen = model(batch_of_each, step / optim.steps)
        optimizer.zero_grad(set_to_none=True)
        runtime.unwrap(model).backward(terms, seen)
        values = dict(zip(terms, torch.stack(list(terms.values())).tolist(), strict=True))
        stats = to_cpu(tuple(map(step_stats, seen.views)))
        check_finite(values, step)
        optimizer.step()
        done(step, values, stats)


def check_finite(terms: Mapping[str, float], step: int) -> None:
    """Stop at a term that is infinite or not a number."""
    broken = [name for name, value in terms.items() if not abs(value) < float("inf")]
    if broken:
        raise NotFiniteError(
            f"Step {step}: the term {', '.join(broken)} is not finite.",
            got=", ".join(f"{name} = {value:g}" for name, value in terms.items()),
            expected="finite terms",
            remedy="Start a run with a smaller --lr, a larger --batch, a smaller weight of a term that grew, or "
            "in float32 if it was bfloat16; going on would stop here again.",
        )


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
