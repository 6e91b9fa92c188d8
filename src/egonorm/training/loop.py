"""The loop: descend the sum of the terms for a fixed number of steps."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import nn

from egonorm.core import Batch, NotFiniteError
from egonorm.core.seed import seed_for
from egonorm.core.training import Optim
from egonorm.training.monitor import StepStats, step_stats, to_cpu
from egonorm.training.optimizer import check_optimizer
from egonorm.training.runtime import Runtime


def train(
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
