"""What methods add to a network, and what they refuse."""

import pytest
import torch
from torch import nn

from egonorm.core import Batch, RunError, Seen, SettingError, View
from egonorm.methods.ada_bn import AdaBn
from egonorm.methods.align_only import AlignOnly
from egonorm.methods.grl import Grl
from egonorm.methods.hna import Hna
from egonorm.methods.orth_only import OrthOnly
from egonorm.methods.ss import Ss
from egonorm.nets.net import Net


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
    with pytest.raises(
        SettingError, match=rf"{method.name()} compares directions(.|\n)*rgb: 5 numbers, audio: 6 numbers"
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
    with pytest.raises(RunError, match=r"no statistics of the target(.|\n)*--batch"):
        AdaBn().adapt(make_net(), single)


def test_ss_needs_three_clips():
    net = make_net(Ss())
    assert Ss().terms(Seen((view(net, clips=3),), 0.5), net)["correspondence"] > 0
    with pytest.raises(RunError, match=r"Too few clips(.|\n)*a batch of 2(.|\n)*--batch"):
        Ss().terms(Seen((view(net), view(net, "D2", seed=1, clips=2)), 0.5), net)


@pytest.mark.parametrize("begin", [-0.1, 1.0, 1.5])
def test_grl_needs_a_beginning_before_the_end(begin):
    with pytest.raises(SettingError, match=rf"method grl cannot begin(.|\n)*--begin {begin:g}"):
        make_net(Grl(begin=begin))


@pytest.mark.parametrize("radius", [0.0, -1.0, float("inf"), float("nan")])
def test_hna_needs_a_radius_that_can_be_a_norm(radius):
    make_net(Hna(radius=0.1))
    with pytest.raises(SettingError, match=rf"method hna has no radius(.|\n)*got:? *{radius:g}(.|\n)*--radius"):
        make_net(Hna(radius=radius))
