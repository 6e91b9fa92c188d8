"""Training: the objective of a step, what is noted of it, and the loop that descends it; encoders in pieces for memory."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from egonorm.core import Batch, NotFiniteError, RunError, Seen, Terms, View
from egonorm.core.training import Optim, seed_for
from egonorm.losses import norms
from egonorm.methods import Method
from egonorm.methods.base import changes_gradients, class_loss
from egonorm.nets.net import Net
from egonorm.training.optimizer import check_optimizer
from egonorm.training.runtime import Runtime, gather

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
            terms |= self.method.terms(seen, self.net)
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
