"""The same network twice, ours and a peer's, with the same random weights; and the proof that both compute the same."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.peers import Peers, load_file
from benchmarks.record import Skip
from egonorm.nets import BnInception, I3d

CLOSE = 1e-4


@dataclass(frozen=True)
class Pair:
    """Our encoder, and the peer's network with the weights of ours."""

    ours: nn.Module
    peer: nn.Module


def i3d_pair(peers: Peers, num_classes: int = 400) -> Pair:
    """I3D and piergiaj's."""
    peer = load_file(peers.of("i3d") / "pytorch_i3d.py").InceptionI3d(num_classes, in_channels=3)
    return _same(settled_i3d(), peer)


def bn_inception_pair(peers: Peers, num_classes: int = 1000) -> Pair:
    """BN-Inception and Cadene's, with a stem of one channel as Temporal Binding Network gives it."""
    path = peers.of("bn_inception") / "pretrainedmodels" / "models" / "bninception.py"
    peer = load_file(path).BNInception(num_classes)
    peer.conv1_7x7_s2 = nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3)
    return _same(settled_bn_inception(), peer)


def settled_i3d() -> nn.Module:
    """Our I3D with random weights and the statistics of a random clip."""
    return _settled(I3d(), torch.rand(1, 3, 16, 112, 112) * 2 - 1)


def settled_bn_inception() -> nn.Module:
    """Our BN-Inception with random weights and the statistics of two random spectrograms."""
    return _settled(BnInception(), torch.randn(2, 1, 256, 256))


def need_same(ours: Tensor, peer: Tensor) -> str:
    """How far two features are from each other, in words. Skip when they are not the same to `CLOSE` of the largest."""
    peer = peer.reshape(ours.shape)
    difference = float((ours.float() - peer).abs().max() / peer.abs().max())
    if difference > CLOSE:
        raise Skip(f"the two do not compute the same: they differ by {difference:.1e} of the largest number")
    return f"same features to {difference:.0e}"


def _settled(network: nn.Module, x: Tensor) -> nn.Module:
    """In evaluation, with running statistics that are not those of a new network."""
    with torch.no_grad():
        for _ in range(20):
            network.train()(x)
    return network.eval().to(memory_format=network.memory_format)


def _same(ours: nn.Module, peer: nn.Module) -> Pair:
    missing, unknown = peer.load_state_dict(ours.state_dict(), strict=False)
    if unknown or any("logits" not in name and "last_linear" not in name for name in missing):
        raise Skip(f"the peer's parameters have other names: {[*unknown, *missing][:3]}")
    return Pair(ours, peer.eval())
