"""The optimiser of a run: which it is, what learns at which rate, and what not at all."""

import inspect
from collections import defaultdict
from collections.abc import Callable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from egonorm.core import RunError
from egonorm.core.training import Optim
from egonorm.nets.blocks import block_of, check_blocks
from egonorm.nets.net import Net

OPTIMIZERS: dict[str, Callable[[list[dict], Optim], Optimizer]] = {
    "sgd": lambda groups, optim: torch.optim.SGD(
        groups, optim.lr, optim.momentum, weight_decay=optim.weight_decay, fused=True
    ),
    "adamw": lambda groups, optim: torch.optim.AdamW(
        groups, optim.lr, optim.betas, weight_decay=optim.weight_decay, fused=True
    ),
}
"""How each is made, by the name that `Optim` gives it; what is not said is torch's default."""


def make_optimizer(optim: Optim, net: nn.Module) -> Optimizer:
    """The optimiser of all parameters that learn, in one group for each factor on the learning rate (`lr_factor`)."""
    groups: defaultdict[float, list[nn.Parameter]] = defaultdict(list)
    for name, parameter in net.named_parameters():
        if parameter.requires_grad:
            block = block_of(name, optim.lr_factors)
            groups[1.0 if block is None else optim.lr_factors[block]].append(parameter)
    return OPTIMIZERS[optim.optimizer](
        [{"params": some, "lr_factor": factor} for factor, some in groups.items()], optim
    )


def freeze(optim: Optim, net: Net) -> None:
    """Take the run's frozen blocks out of training, before the optimiser is made and processes share the network.

    Their parameters get no gradient, and their batch norms stay in evaluation whatever `train` says, so that their statistics
    stay too; both are as the network was before. What lies in a smaller block with a factor learns.

    Raises:
        RunError: for a block that the network does not have, or when nothing is left to learn.
    """
    names = [name for name, _ in net.named_parameters()]
    check_blocks(optim.lr_factors, names, "--lr-factor")
    check_blocks(optim.frozen, names, "--freeze")
    is_frozen = lambda name: block_of(name, optim.blocks) in optim.frozen  # noqa: E731
    for name, parameter in net.named_parameters():
        if is_frozen(name):
            parameter.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in net.parameters()):
        raise RunError(
            "Nothing is left to learn.",
            got=f"--freeze {' --freeze '.join(optim.frozen)}",
            expected="a block that is not frozen",
            remedy="Freeze less.",
        )
    net.always_in_evaluation = tuple(
        name for name, module in net.named_modules() if isinstance(module, _BatchNorm) and is_frozen(name)
    )


def check_optimizer(optimizer: Optimizer) -> None:
    """Refuse an optimiser that the loop cannot use: one whose step computes the loss itself. RunError names it."""
    taken = inspect.signature(type(optimizer).step).parameters.values()
    if any(x.default is x.empty and x.kind == x.POSITIONAL_OR_KEYWORD and x.name != "self" for x in taken):
        raise unusable(optimizer, "a step that needs a closure")


def unusable(optimizer: Optimizer, got: str) -> RunError:
    """The refusal of an optimiser, by its name."""
    return RunError(
        f"The optimizer {type(optimizer).__name__} cannot be used.",
        got=got,
        expected="a step without a closure, and state that is tensors and numbers of each parameter, as those of SGD and AdamW",
        remedy="Choose another optimizer; training could not go on with this one after a stop.",
    )
