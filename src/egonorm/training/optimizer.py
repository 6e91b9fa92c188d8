"""The optimiser of a run: which it is, what learns at which rate and what not at all; and its state as a checkpoint holds it."""

import inspect
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from egonorm.core import RunError
from egonorm.core.training import Optim
from egonorm.nets.net import Net, block_of, check_blocks


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
    taken = list(inspect.signature(type(optimizer).step).parameters.values())[1:]  # the first is the optimiser itself
    if any(x.default is x.empty and x.kind == x.POSITIONAL_OR_KEYWORD for x in taken):
        raise unusable(optimizer, "a step that needs a closure")


def unusable(optimizer: Optimizer, got: str) -> RunError:
    """The refusal of an optimiser, by its name."""
    return RunError(
        f"The optimizer {type(optimizer).__name__} cannot be used.",
        got=got,
        expected="a step without a closure, and state that is tensors and numbers of each parameter, as those of SGD and AdamW",
        remedy="Choose another optimizer; training could not go on with this one after a stop.",
    )


def state_of(net: nn.Module, optimizer: Optimizer) -> dict[str, Tensor]:
    """All that an optimiser keeps for the network's parameters, each as `what.parameter`, on the CPU.

    Raises:
        RunError: for what is neither a tensor nor a number.
    """
    found = {}
    for name, parameter in net.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            label, x = _as_tensor(optimizer, key, value)
            found[f"{label}.{name}"] = x.contiguous().cpu()
    return found


def load_state(net: nn.Module, optimizer: Optimizer, state: Mapping[str, Tensor]) -> None:
    """Give an optimiser the state that `state_of` found.

    Raises:
        RunError: when it is the state of another optimiser or of other parameters.
    """
    parameters, kept = dict(net.named_parameters()), check_state(net, optimizer)
    found: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for full, x in state.items():
        label, _, name = full.partition(".")
        key, _, number = label.partition(":")
        found[name][_FILED.get(key, key)] = x.item() if number else x
    keys = {key for values in found.values() for key in values}
    learning = {id(parameter) for parameter in _parameters(optimizer)}
    strange = [name for name in found if name not in parameters or id(parameters[name]) not in learning]
    if strange or not keys <= kept or (kept and not keys):
        raise RunError(
            "The state of training is not that of this optimizer.",
            got=f"{', '.join(sorted(keys)) or 'nothing'} of {', '.join(strange or list(found)[:1]) or 'no parameter'}",
            expected=f"{', '.join(sorted(kept)) or 'nothing'}, kept by {type(optimizer).__name__} for what learns",
            remedy="Go on with the optimizer and the blocks of before, or start anew in another folder.",
        )
    for name, values in found.items():
        group = next(group for group in optimizer.param_groups if any(p is parameters[name] for p in group["params"]))
        optimizer.state[parameters[name]] = {
            key: _placed(value, key, parameters[name], group) for key, value in values.items()
        }


def check_state(net: nn.Module, optimizer: Optimizer) -> frozenset[str]:
    """What an optimiser keeps for each parameter; found by two steps of its kind on copies of some, nothing of it is changed.

    Raises:
        RunError: names an optimiser with state that a checkpoint cannot hold, which would go on as another one.
    """
    check_optimizer(optimizer)
    known = {id(parameter) for parameter in net.parameters()}
    if not all(id(parameter) in known for parameter in _parameters(optimizer)):
        raise unusable(optimizer, "parameters that are not the network's")
    own = _own(optimizer)
    for key, value in own.items():
        if not isinstance(value, (bool, int, float, str, type(None))):
            raise unusable(optimizer, f"{key}, a {type(value).__name__} beside the state of its parameters")
    small = _small(optimizer)
    try:
        type(small).step(small)  # what it notes once, at the first, is no state
        before = _settings(small, own)
        type(small).step(small)
    except Exception as error:  # whatever it needs that it does not have here
        reason = str(error).partition("\n")[0]
        raise unusable(optimizer, f"a step that fails on its own: {type(error).__name__}: {reason}") from None
    if changed := [key for key, value in _settings(small, own).items() if value != before[key]]:
        raise unusable(optimizer, f"a step that changes {', '.join(changed)} beside the state of its parameters")
    parameters = set(_parameters(small))
    if strange := [key for key in small.state if key not in parameters]:
        raise unusable(optimizer, f"state of {strange[0]!r}, which is no parameter")
    return frozenset(_key_of(small, key, value) for values in small.state.values() for key, value in values.items())


_FILED = {"momentum_buffer": "momentum", "momentum": "momentum_buffer"}
"""What SGD calls its momentum_buffer is `momentum` in a file; what another might call so changes places with it."""
Value = Tensor | bool | int | float
_NUMBERS = {bool: torch.bool, int: torch.int64, float: torch.float64}


def _as_tensor(optimizer: Optimizer, key: object, value: object) -> tuple[str, Tensor]:
    """What a value of the state is called in a file, and the value there; the name tells a number from a tensor."""
    if isinstance(key, str) and not set(key) & {".", ":"}:
        if isinstance(value, Tensor) and value.layout == torch.strided:
            return _FILED.get(key, key), value.detach()
        if type(value) in _NUMBERS:
            return f"{_FILED.get(key, key)}:number", torch.tensor(value, dtype=_NUMBERS[type(value)])
    raise unusable(optimizer, f"{key!r} in the state of a parameter, a {type(value).__name__}")


def _key_of(optimizer: Optimizer, key: Any, value: object) -> str:
    _as_tensor(optimizer, key, value)
    return key


def _placed(value: Value, key: str, parameter: nn.Parameter, group: Mapping[str, object]) -> Value:
    """A value in the place and the order of memory in which the optimiser would have made it."""
    if not isinstance(value, Tensor):
        return value
    if value.shape == parameter.shape and value.dim():  # fused optimisers take the weight's order for granted
        return torch.empty_like(parameter, dtype=value.dtype).copy_(value)
    on_device = key != "step" or group.get("fused") or group.get("capturable")  # else steps are counted on the CPU
    return value.to(parameter.device) if on_device else value


def _parameters(optimizer: Optimizer) -> Iterator[nn.Parameter]:
    return (parameter for group in optimizer.param_groups for parameter in group["params"])


def _own(optimizer: Optimizer) -> dict[str, object]:
    """What it has beside what every optimiser of torch has."""
    plain = vars(Optimizer([torch.zeros(1)], {}))
    return {key: value for key, value in vars(optimizer).items() if key not in plain}


def _small(optimizer: Optimizer) -> Optimizer:
    """One of the same kind and settings, for copies of the smallest parameters of each number of axes, with gradients of zero."""
    groups = []
    state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
    for group in optimizer.param_groups:
        smallest = {p.dim(): p for p in sorted(group["params"], key=torch.numel, reverse=True)}
        copies = {id(p): nn.Parameter(torch.zeros_like(p)) for p in smallest.values()}
        for parameter in smallest.values():
            copies[id(parameter)].grad = torch.zeros_like(parameter)
            if parameter in optimizer.state:
                state[copies[id(parameter)]] = deepcopy(optimizer.state[parameter])
        groups.append(group | {"params": list(copies.values())})
    small = object.__new__(type(optimizer))
    vars(small).update(vars(optimizer) | {"state": state, "param_groups": groups})
    for hooks in ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks"):
        setattr(small, hooks, OrderedDict())
    return small


def _settings(optimizer: Optimizer, own: Mapping[str, object]) -> dict[str, str]:
    """What is not state of a parameter, in words that differ when it does."""
    groups = [{key: x for key, x in group.items() if key != "params"} for group in optimizer.param_groups]
    found = {key: repr([group.get(key) for group in groups]) for key in dict.fromkeys(k for g in groups for k in g)}
    return found | {key: repr(getattr(optimizer, key)) for key in own}


OPTIMIZERS: dict[str, Callable[[list[dict], Optim], Optimizer]] = {
    "sgd": lambda groups, optim: torch.optim.SGD(
        groups, optim.lr, optim.momentum, weight_decay=optim.weight_decay, fused=True
    ),
    "adamw": lambda groups, optim: torch.optim.AdamW(
        groups, optim.lr, optim.betas, weight_decay=optim.weight_decay, fused=True
    ),
}
"""How each is made, by the name that `Optim` gives it; what is not said is torch's default."""
