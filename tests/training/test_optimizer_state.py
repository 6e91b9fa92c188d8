"""The state of any optimiser: going on equals not stopping, byte for byte; what cannot be held is refused by name."""

import re
from functools import partial

import pytest
import safetensors
import safetensors.torch
import torch
from torch import nn
from torch.optim import Optimizer

from egonorm.core import RunError
from egonorm.core.training import Optim
from egonorm.training.checkpoint import Checkpoints
from egonorm.training.optimizer import check_state, load_state, make_optimizer, state_of

ABOUT = {"classes": ["cut", "mix"], "clips": "0123"}


class OfNumbers(Optimizer):
    """Descent with all kinds of state: numbers, whole numbers, tensors of both and of another precision, and a name of SGD's."""

    def __init__(self, params, lr=0.05):
        super().__init__(params, {"lr": lr})
        self.scale, self.sign = 0.5, "down"

    @torch.no_grad()
    def step(self, closure=None):
        """Each kind of state changes the step."""
        for group in self.param_groups:
            for x in (x for x in group["params"] if x.grad is not None):
                state = self.state[x]
                if not state:
                    zero, count = torch.zeros_like(x, dtype=torch.float64), torch.zeros_like(x, dtype=torch.int32)
                    state |= {
                        "momentum": zero,
                        "seen": count,
                        "times": 0,
                        "decay": 1.0,
                        "odd": False,
                        "total": torch.zeros(1),
                    }
                state["times"] += 1
                state["decay"] *= 0.9
                state["odd"] = not state["odd"]
                state["momentum"].mul_(0.9).add_(x.grad)
                state["seen"] += x.grad > 0
                state["total"] += x.grad.sum()
                rate = group["lr"] * self.scale * state["decay"] / state["times"] * (2 if state["odd"] else 1)
                x.sub_((state["momentum"] * rate + 1e-3 * state["seen"] + 1e-3 * state["total"].sum()).to(x.dtype))


KINDS = {
    "sgd": partial(make_optimizer, Optim(lr=0.01)),
    "adamw": partial(make_optimizer, Optim(lr=0.01, optimizer="adamw")),
    "factors": partial(make_optimizer, Optim(lr=0.01, optimizer="adamw", lr_factors={"0": 0.5, "4.weight": 2})),
    "nesterov": lambda net: torch.optim.SGD(net.parameters(), 0.01, 0.9, nesterov=True),
    "no momentum": lambda net: torch.optim.SGD(net.parameters(), 0.01),
    "amsgrad": lambda net: torch.optim.AdamW(net.parameters(), 0.01, amsgrad=True, foreach=True),
    "OfNumbers": lambda net: OfNumbers(net.parameters()),
    "rmsprop": lambda net: torch.optim.RMSprop(net.parameters(), 0.01, momentum=0.9, centered=True),
}
KINDS |= {
    name: lambda net, name=name: getattr(torch.optim, name)(net.parameters(), lr=0.01)
    for name in ("ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "Adamax", "NAdam", "RAdam", "Rprop")
    if hasattr(torch.optim, name)
}


def make_net() -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2)
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def descend(net: nn.Module, optimizer: Optimizer, steps: range) -> None:
    for step in steps:
        optimizer.zero_grad()
        x = torch.randn(6, 3, 5, 5, generator=torch.Generator().manual_seed(step))
        net(x.contiguous(memory_format=torch.channels_last)).square().sum().mul(0.01).backward()
        optimizer.step()


def stored(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("kind", KINDS)
def test_going_on_is_not_stopping(kind, tmp_path):
    """Six steps at once, and three times two with everything made anew between them."""
    whole, parts = (Checkpoints(tmp_path / name, steps=6, every=1, keep=1) for name in ("whole", "parts"))
    net = make_net()
    optimizer = KINDS[kind](net)
    assert whole.resume(net, optimizer, ABOUT) == 0
    descend(net, optimizer, range(6))
    whole.save(6, net, optimizer, ABOUT)
    for done in (0, 2, 4):
        net = make_net()
        optimizer = KINDS[kind](net)
        assert parts.resume(net, optimizer, ABOUT) == done
        descend(net, optimizer, range(done, done + 2))
        parts.save(done + 2, net, optimizer, ABOUT)
    assert stored(tmp_path / "parts") == stored(tmp_path / "whole")


@pytest.mark.parametrize("kind", KINDS)
def test_everything_of_a_state_dict_comes_back_as_it_was(kind):
    net, other = make_net(), make_net()
    optimizer, new = KINDS[kind](net), KINDS[kind](other)
    descend(net, optimizer, range(3))
    load_state(other, new, state_of(net, optimizer))
    kept, back = (found.state_dict()["state"] for found in (optimizer, new))
    assert kept.keys() == back.keys() and all(kept[k].keys() == back[k].keys() for k in kept)
    for key, values in kept.items():
        for name, value in values.items():
            x = back[key][name]
            assert type(x) is type(value)
            if isinstance(value, torch.Tensor):
                assert (x.dtype, x.stride(), x.device) == (value.dtype, value.stride(), value.device)
                assert torch.equal(x, value)
            else:
                assert x == value


def test_the_file_of_sgd_is_what_it_always_was(tmp_path):
    """Its buffers as `momentum.PARAMETER`, with the one key of metadata; a file of before it had a digest goes on."""
    net = make_net()
    optimizer = make_optimizer(Optim(lr=0.01), net)
    descend(net, optimizer, range(3))
    saved = Checkpoints(tmp_path, steps=6, every=1, keep=1)
    saved.save(3, net, optimizer, ABOUT)
    buffers = {
        f"momentum.{name}": optimizer.state[x]["momentum_buffer"].contiguous() for name, x in net.named_parameters()
    }
    about = '{"step": 3, "classes": ["cut", "mix"], "clips": "0123"'
    with safetensors.safe_open(saved.state, "pt") as file:
        (text,) = file.metadata().values()
    assert re.fullmatch(re.escape(about) + r', "digest": "[0-9a-f]{16}"}', text)
    assert saved.state.read_bytes() == safetensors.torch.save(buffers, {"egonorm": text})
    metadata = {"egonorm": about + "}"}
    other = make_net()
    saved.state.write_bytes(safetensors.torch.save(buffers, metadata))
    again = make_optimizer(Optim(lr=0.01), other)
    assert saved.resume(other, again, ABOUT) == 3
    descend(net, optimizer, range(3, 6))
    descend(other, again, range(3, 6))
    assert all(torch.equal(x, y) for x, y in zip(net.parameters(), other.parameters(), strict=True))


def test_what_learns_by_names_and_not_by_their_order(tmp_path):
    net = make_net()
    optimizer = torch.optim.AdamW(reversed(list(net.parameters())), 0.01)
    descend(net, optimizer, range(2))
    state = state_of(net, optimizer)
    assert list(state)[:3] == ["step.0.weight", "exp_avg.0.weight", "exp_avg_sq.0.weight"]
    other = torch.optim.AdamW(net.parameters(), 0.01)
    load_state(net, other, state)
    assert torch.equal(other.state[net[0].weight]["exp_avg"], optimizer.state[net[0].weight]["exp_avg"])


class Lists(torch.optim.SGD):
    """Keeps what is no tensor and no number."""

    def step(self, closure=None):
        """Note that a step was taken."""
        super().step(closure)
        for x in self.param_groups[0]["params"]:
            self.state[x]["history"] = [1, 2]


class Counter(torch.optim.SGD):
    """Counts beside its state."""

    def __init__(self, params):
        super().__init__(params, 0.1)
        self.done = 0

    def step(self, closure=None):
        """Count."""
        self.done += 1
        return super().step(closure)


class Groups(torch.optim.SGD):
    """Counts in its groups, as schedule-free optimisers do."""

    def step(self, closure=None):
        """Count."""
        for group in self.param_groups:
            group["k"] = group.get("k", 0) + 1
        return super().step(closure)


class Global(torch.optim.SGD):
    """Keeps state that is of no parameter."""

    def step(self, closure=None):
        """Note that a step was taken."""
        self.state["all"] = torch.ones(1)
        return super().step(closure)


class Wrapping(torch.optim.SGD):
    """Holds another optimiser."""

    def __init__(self, params):
        super().__init__(params, 0.1)
        self.inner = torch.optim.AdamW(self.param_groups[0]["params"])


class Dotted(torch.optim.SGD):
    """Names its state as nobody does."""

    def step(self, closure=None):
        """Note that a step was taken."""
        super().step(closure)
        for x in self.param_groups[0]["params"]:
            self.state[x]["a.b"] = torch.ones(1)


@pytest.mark.parametrize(
    ("kind", "got"),
    [
        (torch.optim.LBFGS, "a step that needs a closure"),
        (
            torch.optim.SparseAdam,
            "a step that fails on its own: RuntimeError: SparseAdam does not support dense gradients",
        ),
        (Lists, "'history' in the state of a parameter, a list"),
        (Dotted, "'a.b' in the state of a parameter, a Tensor"),
        (Counter, "a step that changes done beside the state"),
        (Groups, "a step that changes k beside the state"),
        (Global, "state of 'all', which is no parameter"),
        (Wrapping, "inner, a AdamW beside the state"),
    ],
)
def test_an_optimiser_that_a_checkpoint_cannot_hold_is_refused_before_anything_is_written(kind, got, tmp_path):
    net = make_net()
    optimizer = kind(net.parameters())
    before = [x.clone() for x in net.parameters()]
    with pytest.raises(RunError) as caught:
        Checkpoints(tmp_path / "checkpoints", steps=6, every=1, keep=1).resume(net, optimizer, ABOUT)
    assert caught.value.what == f"The optimizer {kind.__name__} cannot be used." and caught.value.got.startswith(got)
    assert "tensors and numbers of each parameter" in caught.value.expected and "Choose another" in caught.value.remedy
    assert not (tmp_path / "checkpoints").exists()
    assert all(torch.equal(x, y) for x, y in zip(net.parameters(), before, strict=True))


def test_parameters_that_are_not_the_networks_are_refused():
    net, other = make_net(), make_net()
    with pytest.raises(RunError, match="parameters that are not the network's"):
        check_state(net, torch.optim.SGD([*net.parameters(), *other.parameters()], 0.1))


@pytest.mark.parametrize("kind", KINDS)
def test_looking_at_what_an_optimiser_keeps_changes_nothing_of_it(kind):
    net, other = make_net(), make_net()
    looked_at, other_optimizer = KINDS[kind](net), KINDS[kind](other)
    called = []
    looked_at.register_step_post_hook(lambda *_: called.append(1))
    for steps in (range(2), range(2, 4)):
        kept = check_state(net, looked_at)
        descend(net, looked_at, steps)
        descend(other, other_optimizer, steps)
    assert len(called) == 4 and kept == {key for values in looked_at.state.values() for key in values}
    assert all(torch.equal(x, y) for x, y in zip(net.parameters(), other.parameters(), strict=True))


def test_the_state_of_another_optimiser_is_refused(tmp_path):
    """Also that of an AdamW of which nothing was kept."""
    net = make_net()
    sgd, adamw = make_optimizer(Optim(lr=0.01), net), make_optimizer(Optim(lr=0.01, optimizer="adamw"), net)
    descend(net, sgd, range(1))
    kept = "exp_avg, exp_avg_sq, step, kept by AdamW"
    with pytest.raises(RunError, match=rf"not that of this optimizer(.|\n)*momentum_buffer of 0.weight(.|\n)*{kept}"):
        load_state(net, adamw, state_of(net, sgd))
    with pytest.raises(RunError, match=r"got: *nothing of no parameter(.|\n)*start anew in another folder"):
        load_state(net, adamw, {})
    assert not adamw.state


def test_state_of_what_is_frozen_now_or_not_there_is_refused():
    net = make_net()
    optimizer = make_optimizer(Optim(lr=0.01), net)
    descend(net, optimizer, range(1))
    state = state_of(net, optimizer)
    with pytest.raises(RunError, match=r"momentum_buffer of 9.weight\n"):
        load_state(net, optimizer, state | {"momentum.9.weight": torch.zeros(2)})
    net[0].requires_grad_(False)
    with pytest.raises(RunError, match=r"momentum_buffer of 0.weight, 0.bias\n(.|\n)*the blocks of before"):
        load_state(net, make_optimizer(Optim(lr=0.01), net), state)


def test_state_that_turns_into_what_cannot_be_held_is_refused_when_it_is_written(tmp_path):
    net = make_net()
    optimizer = make_optimizer(Optim(lr=0.01), net)
    saved = Checkpoints(tmp_path, steps=6, every=1, keep=1)
    descend(net, optimizer, range(1))
    saved.save(1, net, optimizer, ABOUT)
    optimizer.state[net[0].weight]["note"] = "text"
    with pytest.raises(RunError, match=r"optimizer SGD cannot be used(.|\n)*'note' in the state of a parameter, a str"):
        saved.save(2, net, optimizer, ABOUT)
    assert saved.last_step() == 1 and not saved.path(2).exists()
