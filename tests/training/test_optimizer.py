"""The optimiser of a run: AdamW against torch's and its formula, factors on the learning rate, frozen blocks."""

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, SequentialLR

from egonorm.core import Batch, RunError
from egonorm.core.training import Optim
from egonorm.methods import Method, Rna, SourceOnly, methods
from egonorm.nets.net import Net
from egonorm.training.engine import Objective, train_steps
from egonorm.training.optimizer import check_optimizer, freeze, make_optimizer
from egonorm.training.runtime import Runtime

CPU = Runtime(torch.device("cpu"))
ADAMW = {"optimizer": "adamw", "lr": 0.01, "betas": (0.8, 0.95), "weight_decay": 0.1}


class Encoder(nn.Sequential):
    """Two layers, each with a batch norm, in float64: what rounding leaves is small."""

    num_features = 6

    def __init__(self):
        super().__init__()
        self.add_module("Mixed_3b", nn.Sequential(nn.Linear(4, 5, bias=False), nn.BatchNorm1d(5), nn.ReLU()))
        self.add_module("Mixed_4b", nn.Sequential(nn.Linear(5, 6, bias=False), nn.BatchNorm1d(6), nn.ReLU()))


def make_net(method: Method | None = None, fusion="sum") -> Net:
    torch.manual_seed(0)
    net = Net({"rgb": Encoder(), "audio": Encoder()}, 3, fusion, dropout=0.0)
    (method or SourceOnly()).prepare(net)
    return net.double()


def make_batch(step: int, clips=8) -> Batch:
    generator = torch.Generator().manual_seed(step)
    labels = torch.randint(0, 3, (clips,), generator=generator)
    inputs = {
        m: torch.randn(clips, 4, generator=generator, dtype=torch.float64) + labels[:, None] for m in ("rgb", "audio")
    }
    return Batch("D1", tuple(map(str, range(clips))), inputs, labels)


def trained(optim: Optim, net: Net, method: Method | None = None, pieces=1) -> Net:
    """The network after all steps of the run."""
    freeze(optim, net)
    batches = [[make_batch(step)] for step in range(optim.steps)]
    objective = Objective(net, method or SourceOnly(), pieces)
    train_steps(objective, make_optimizer(optim, net), optim, batches, 1, 0, CPU, lambda *_: None)
    return net


def changes(before: Net, after: Net) -> dict[str, torch.Tensor]:
    """How far each number of the network has moved, statistics included."""
    pairs = zip(before.state_dict().items(), after.state_dict().values(), strict=True)
    return {name: (y - x).double() for (name, x), y in pairs}


def moved(before: Net, after: Net) -> set[str]:
    return {name for name, x in changes(before, after).items() if x.abs().max() > 0}


def test_adamw_with_warm_up_and_cosine_is_torchs_with_its_schedulers():
    optim, net = Optim(steps=9, schedule="cosine", warm_up=3, **ADAMW), make_net()
    expected = deepcopy(net).train()
    objective = Objective(expected, Rna())
    optimizer = torch.optim.AdamW(expected.parameters(), 0.01, (0.8, 0.95), weight_decay=0.1, foreach=False)
    rise = LambdaLR(optimizer, lambda done: (done + 1) / 3)
    schedule = SequentialLR(optimizer, [rise, CosineAnnealingLR(optimizer, T_max=6)], [3])
    for step in range(9):
        optimizer.zero_grad()
        sum(objective([make_batch(step)], 0.0)[0].values()).backward()
        optimizer.step()
        schedule.step()
    trained(optim, net, Rna())
    for (name, x), y in zip(net.state_dict().items(), expected.state_dict().values(), strict=True):
        torch.testing.assert_close(x, y, rtol=1e-9, atol=1e-12, msg=name)


def test_adamw_is_its_published_formula():
    """Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, Algorithm 2, with torch's eps."""
    optim, net = Optim(steps=5, milestones=(), **ADAMW), make_net()
    expected = deepcopy(net).train()
    objective = Objective(expected, SourceOnly())
    m, v = ({name: torch.zeros_like(x) for name, x in expected.named_parameters()} for _ in range(2))
    for step in range(1, 6):
        expected.zero_grad()
        objective([make_batch(step - 1)], 0.0)[0]["class"].backward()
        with torch.no_grad():
            for name, x in expected.named_parameters():
                m[name] = 0.8 * m[name] + 0.2 * x.grad
                v[name] = 0.95 * v[name] + 0.05 * x.grad**2
                mean, square = m[name] / (1 - 0.8**step), v[name] / (1 - 0.95**step)
                x -= 0.01 * (mean / (square.sqrt() + 1e-8) + 0.1 * x)
    trained(optim, net)
    for (name, x), y in zip(net.named_parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(x, y, rtol=1e-9, atol=1e-12, msg=name)


def test_sgd_is_what_it_always_was():
    """One group of all parameters, in their order, with the fused implementation and the run's numbers."""
    net = make_net()
    optimizer = make_optimizer(Optim(lr=0.02, momentum=0.8, weight_decay=1e-4), net)
    (group,) = optimizer.param_groups
    assert type(optimizer) is torch.optim.SGD and group["fused"] and not group["nesterov"]
    assert (group["lr"], group["momentum"], group["dampening"], group["weight_decay"]) == (0.02, 0.8, 0, 1e-4)
    assert [id(x) for x in group["params"]] == [id(x) for x in net.parameters()]


def test_a_factor_is_on_the_learning_rate_of_its_block_alone():
    plain, before = Optim(steps=1, momentum=0, weight_decay=0, lr=0.1), make_net()
    usual = changes(before, trained(plain, make_net()))
    optim = Optim(
        steps=1, momentum=0, weight_decay=0, lr=0.1, lr_factors={"rgb": 0.5, "rgb.encoder.mixed_4": 0.25, "fusion": 3}
    )
    factors = {"encoders.rgb.Mixed_3b": 0.5, "encoders.rgb.Mixed_4b": 0.25, "encoders.audio": 1, "fusion": 3}
    found = changes(before, trained(optim, make_net()))
    for name, _ in before.named_parameters():
        (factor,) = [x for start, x in factors.items() if name.startswith(start)]
        torch.testing.assert_close(found[name], factor * usual[name], rtol=1e-9, atol=1e-12, msg=name)


def test_factors_follow_the_schedule():
    optim, net, seen = Optim(steps=4, schedule="cosine", warm_up=2, lr=0.1, lr_factors={"audio": 0.5}), make_net(), []
    optimizer = make_optimizer(optim, net)
    note = lambda *_: seen.append([group["lr"] for group in optimizer.param_groups])  # noqa: E731
    train_steps(Objective(net, SourceOnly()), optimizer, optim, [[make_batch(k)] for k in range(4)], 1, 0, CPU, note)
    rates = [optim.lr_at(step) for step in (1, 2, 3, 4)]
    assert seen == [[rate, 0.5 * rate] for rate in rates] and rates == pytest.approx([0.05, 0.1, 0.1, 0.05])


def test_factors_of_one_are_no_factors():
    names = {"rgb": 1, "audio.encoder": 1.0}
    assert not moved(trained(Optim(steps=3), make_net()), trained(Optim(steps=3, lr_factors=names), make_net()))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("pieces", [1, 2])
def test_a_frozen_block_stays_with_its_statistics_and_the_rest_learns(optimizer, pieces):
    optim = Optim(
        steps=3, optimizer=optimizer, lr=0.01, weight_decay=0.1, frozen=("rgb.encoder.mixed_3", "audio.encoder")
    )
    before, net = make_net(), trained(optim, make_net(), Rna(), pieces)
    at_rest = ("encoders.rgb.Mixed_3b", "encoders.audio")
    learning = {name for name in before.state_dict() if not name.startswith(at_rest)}
    assert moved(before, net) == learning and len(learning) == 10
    frozen = [x for name, x in net.named_parameters() if name.startswith(at_rest)]
    assert frozen and all(x.grad is None and not x.requires_grad for x in frozen)


def test_a_frozen_batch_norm_normalises_by_its_running_averages_whatever_asks_for_training():
    net = make_net(methods()["batch-norm"]())
    freeze(Optim(frozen=("rgb",)), net)
    for asked in (net, Objective(net, SourceOnly())):
        asked.train()
        resting = {name for name, x in net.named_modules() if isinstance(x, nn.BatchNorm1d) and not x.training}
        assert resting == {"encoders.rgb.Mixed_3b.1", "encoders.rgb.Mixed_4b.1", "necks.rgb"}
    assert net.fusion.dropout.training and not any(x.training for x in net.eval().modules())
    inputs = make_batch(0).inputs
    in_evaluation = net.features(inputs)
    found = net.train().features(inputs)
    assert torch.equal(found["rgb"], in_evaluation["rgb"]) and not torch.equal(found["audio"], in_evaluation["audio"])


def test_the_smallest_block_decides_whether_it_learns():
    optim = Optim(steps=2, frozen=("rgb", "audio"), lr_factors={"rgb.encoder.mixed_4": 0.5})
    before, net = make_net(), trained(optim, make_net())
    assert moved(before, net) == {name for name in before.state_dict() if name.startswith("encoders.rgb.Mixed_4b")}


def test_what_a_method_adds_can_be_frozen():
    method = methods()["ss"]()
    net = trained(Optim(steps=2, frozen=("extra.correspondence",)), make_net(method), method)
    assert moved(make_net(method), net) == {name for name in net.state_dict() if not name.startswith("extra.")}


def test_a_run_with_nothing_left_to_learn_is_refused():
    with pytest.raises(
        RunError, match=r"Nothing is left to learn(.|\n)*--freeze audio --freeze rgb\n(.|\n)*Freeze less"
    ):
        freeze(Optim(frozen=("rgb", "audio")), make_net())
    freeze(Optim(frozen=("rgb", "audio")), make_net(fusion="concat"))  # its fusion is of no modality


@pytest.mark.parametrize(
    ("option", "blocks"), [("--freeze", {"frozen": ("rgb.mixed",)}), ("--lr-factor", {"lr_factors": {"rgb.mixed": 1}})]
)
def test_a_block_that_the_network_does_not_have_is_refused(option, blocks):
    with pytest.raises(
        RunError, match=rf"{option}: the network has no block rgb.mixed(.|\n)*rgb.encoder, rgb.classifier"
    ):
        freeze(Optim(**blocks), make_net())


@pytest.mark.parametrize("kind", [torch.optim.RMSprop, torch.optim.Adagrad, torch.optim.NAdam])
def test_the_loop_takes_any_optimiser_of_torch(kind):
    net, expected = make_net(), make_net().train()
    optim = Optim(steps=3, lr=0.01, milestones=())
    train_steps(
        Objective(net, SourceOnly()),
        kind(net.parameters(), lr=1.0),
        optim,
        [[make_batch(k)] for k in range(3)],
        1,
        0,
        CPU,
        lambda *_: None,
    )
    objective, optimizer = Objective(expected, SourceOnly()), kind(expected.parameters(), lr=0.01)
    for step in range(3):
        optimizer.zero_grad()
        objective([make_batch(step)], 0.0)[0]["class"].backward()
        optimizer.step()
    assert not moved(net, expected)


def test_a_step_may_call_its_optimiser_as_it_likes_and_needs_no_closure_by_that():
    class Mine(torch.optim.SGD):
        def step(mine, closure=None):
            return super().step(closure)

    check_optimizer(Mine(make_net().parameters(), lr=0.1))


def test_the_loop_refuses_an_optimiser_that_computes_the_loss_itself():
    net = make_net()
    before = deepcopy(net)
    with pytest.raises(
        RunError, match=r"optimizer LBFGS cannot be used(.|\n)*needs a closure(.|\n)*SGD and AdamW(.|\n)*Choose"
    ):
        train_steps(
            Objective(net, SourceOnly()),
            torch.optim.LBFGS(net.parameters()),
            Optim(steps=1),
            [[make_batch(0)]],
            1,
            0,
            CPU,
            lambda *_: None,
        )
    assert not moved(before, net)
