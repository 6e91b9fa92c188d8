"""What methods add to a network, and what they refuse."""

from dataclasses import dataclass, field
from typing import ClassVar

import pytest
import torch
from torch import nn

from egonorm.core import Batch, RunError, Seen, SettingError, View
from egonorm.methods import Method, SourceOnly
from egonorm.methods.ada_bn import AdaBn
from egonorm.methods.align_only import AlignOnly
from egonorm.methods.base import TrainedRun, unresolved
from egonorm.methods.grl import Grl
from egonorm.methods.hna import Hna
from egonorm.methods.orth_only import OrthOnly
from egonorm.methods.ss import Ss
from egonorm.nets.net import Net
from refusals import refused


class Encoder(nn.Sequential):
    """A linear encoder with batch norm."""

    memory_format, num_features = torch.contiguous_format, 5

    def __init__(self, num_features=5):
        super().__init__(nn.Linear(3, num_features), nn.BatchNorm1d(num_features))
        self.num_features = num_features


def make_net(method=None, sizes=(5, 5)):
    torch.manual_seed(0)
    net = Net({m: Encoder(size) for m, size in zip(("rgb", "audio"), sizes, strict=True)}, 4)
    if method is not None:
        method.prepare(net)
    return net.eval()


def view(net, domain="D1", labelled=True, seed=0, clips=8):
    generator = torch.Generator().manual_seed(seed)
    features = {m: torch.randn(clips, 5, generator=generator, requires_grad=True) for m in ("rgb", "audio")}
    labels = torch.arange(clips) % 4 if labelled else None
    return View(domain, features, net.classify(features), labels)


@pytest.mark.parametrize("method", [AlignOnly(), OrthOnly()])
def test_angles_need_features_of_one_size(method):
    with refused(
        SettingError,
        f"The method {method.name()} compares directions of features.",
        "rgb: 5 numbers, audio: 6 numbers",
        "features of one size",
        "Give the encoders equal widths, or choose another method.",
    ):
        make_net(method, sizes=(5, 6))


def test_ada_bn_gives_a_batch_norm_to_encoders_without_one():
    torch.manual_seed(0)
    linear = Encoder()
    del linear[1]
    net = Net({"rgb": Encoder(), "audio": linear}, 4)
    AdaBn().prepare(net)
    assert isinstance(net.necks["rgb"], nn.Identity) and isinstance(net.necks["audio"], nn.BatchNorm1d)
    AdaBn().adapt(net, [Batch("D2", ("a", "b"), {m: torch.randn(2, 3) + 5 for m in ("rgb", "audio")}, None)])
    assert net.necks["audio"].num_batches_tracked == 1


def test_ada_bn_keeps_nothing_for_a_backward_pass():
    net, graphs = make_net(), []
    net.encoders["rgb"].register_forward_hook(lambda module, inputs, output: graphs.append(output.requires_grad))
    AdaBn().adapt(net, [Batch("D2", ("a", "b"), {m: torch.randn(2, 3) for m in ("rgb", "audio")}, None)])
    assert graphs == [False]


def test_ada_bn_without_a_batch_to_measure_is_an_error():
    single = [Batch("D2", ("a",), {m: torch.randn(1, 3) for m in ("rgb", "audio")}, None)]
    with refused(
        RunError,
        "AdaBN has no statistics of the target.",
        "no batch of several clips",
        "one or more",
        "Correct --batch, or bring more training clips of the target.",
    ):
        net = make_net()
        before = {name: x.clone() for name, x in net.state_dict().items()}
        AdaBn().adapt(net, single)
    assert all(torch.equal(x, before[name]) for name, x in net.state_dict().items())


def test_ss_needs_three_clips():
    net = make_net(Ss())
    assert Ss().terms(Seen((view(net, clips=3),), 0.5), net)["correspondence"] > 0
    with refused(
        RunError, "Too few clips to mix pairs.", "a batch of 2", "3 clips a domain or more", "Correct --batch."
    ):
        Ss().terms(Seen((view(net), view(net, "D2", seed=1, clips=2)), 0.5), net)


@pytest.mark.parametrize("begin", [-0.1, 1.0, 1.5])
def test_grl_needs_a_beginning_before_the_end(begin):
    with refused(
        SettingError,
        "The method grl cannot begin then.",
        f"--begin {begin:g}",
        "a share of the training, from 0 to below 1",
        "Correct --begin.",
    ):
        make_net(Grl(begin=begin))


@pytest.mark.parametrize("radius", [0.0, -1.0, float("inf"), float("nan")])
def test_hna_needs_a_radius_that_can_be_a_norm(radius):
    make_net(Hna(radius=0.1))
    with refused(SettingError, "The method hna has no radius.", f"{radius:g}", "a norm above 0", "Correct --radius."):
        make_net(Hna(radius=radius))


@pytest.mark.parametrize(("steps", "radius"), [(1, 2.26), (4, 5.26), (14, 15.26), (25, 25.76), (40, 39.76)])
def test_hna_takes_its_radius_from_the_last_tenth_of_source_only(steps, radius):
    """The mean over the domains, the modalities and the last tenth of the steps (one of 4 and 14, two of 25), to the cent."""
    norms = tuple({("D1", "rgb"): k + 1.0, ("D1", "audio"): k + 3.512} for k in range(steps))
    made = Hna(weight=0.3).resolve({SourceOnly(): TrainedRun(norms)})
    assert made == Hna(radius=radius, weight=0.3)


def test_methods_that_take_nothing_from_other_runs_are_resolved_as_they_are():
    assert Ss().resolve({}) == Ss()


@pytest.mark.parametrize(
    ("method", "usual"),
    [(Hna(radius=7.32, weight=0.3), Hna(weight=0.3)), (Hna(weight=0.3), Hna(weight=0.3)), (Ss(2.0), Ss(2.0))],
)
def test_what_other_runs_decide_is_no_part_of_a_configuration(method, usual):
    assert unresolved(method) == usual


def test_a_part_that_other_runs_decide_is_made_anew():
    @dataclass(frozen=True)
    class Held(Method):
        """A composition whose part comes from a run."""

        from_runs: ClassVar[dict[str, Method]] = {"part": SourceOnly()}

        part: Hna = field(default_factory=lambda: Hna(radius=3.0))

    assert unresolved(Held(part=Hna(radius=5.0))) == Held()
