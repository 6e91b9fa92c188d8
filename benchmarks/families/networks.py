"""Forward passes of the two encoders: against the peers as their scripts use them, and against the matrix product."""

from collections.abc import Callable, Iterator
from copy import deepcopy

import torch
from torch import Tensor, nn

from benchmarks.case import Bench, case
from benchmarks.limit import DTYPES, Product, best_product, flops_of_network, need_bfloat16
from benchmarks.pairs import (
    Pair,
    bn_inception_pair,
    i3d_pair,
    need_same,
    settled_bn_inception,
    settled_i3d,
)
from benchmarks.record import Record, at_least
from benchmarks.timing import alternate, ratio, threads, told
from egonorm.nets.layers import fuse_bn


def forward(network: nn.Module, x: Tensor, precision: str) -> Callable[[], Tensor]:
    """A forward pass as our evaluation makes it."""
    x = x.contiguous(memory_format=network.memory_format)

    def action() -> Tensor:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            return network(x)

    return action


def peer_forward(compute: Callable[[Tensor], Tensor], x: Tensor) -> Callable[[], Tensor]:
    """A forward pass as the peers' scripts make it: evaluation, float32, no gradient."""

    def action() -> Tensor:
        with torch.no_grad():
            return compute(x)

    return action


def clip() -> Tensor:
    """One clip of 16 frames."""
    return torch.rand(1, 3, 16, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1


def spectrogram() -> Tensor:
    """One spectrogram."""
    return torch.randn(1, 1, 256, 256, generator=torch.Generator().manual_seed(0))


def peer_features(pair: Pair) -> Callable[[Tensor], Tensor]:
    """The peer's feature: I3D's `extract_features`, or BN-Inception's logits before the last layer."""
    if hasattr(pair.peer, "extract_features"):
        return pair.peer.extract_features
    pair.peer.last_linear = nn.Identity()
    return pair.peer


@case(quick=True)
def i3d_forward(bench: Bench) -> Iterator[Record]:
    """I3D against piergiaj's."""
    with threads(bench.threads):
        pair, x = i3d_pair(bench.peers), clip()
        actions = {f"ours {p}": forward(fuse_bn(pair.ours), x, p) for p in DTYPES}
        actions["peer"] = peer_forward(peer_features(pair), x)
        proof = need_same(actions["ours float32"](), actions["peer"]())
        times = alternate(actions, bench.repeats)
    for precision in DTYPES:
        value, goal = ratio(times, "peer", f"ours {precision}"), {"float32": 1.5, "bfloat16": 3.0}[precision]
        yield Record(
            f"i3d-forward-{precision}",
            f"I3D forward, 16 x 224 x 224, {precision}, over piergiaj's in float32",
            value,
            at_least(goal),
            detail=f"{told(times)} a clip; {proof}",
        )
    need_bfloat16()


@case()
def i3d_of_the_limit(bench: Bench) -> Iterator[Record]:
    """I3D against the matrix product."""
    for precision in DTYPES:
        yield _of_the_limit(bench, "i3d", settled_i3d(), clip(), precision, 0.6)
    need_bfloat16()


@case(quick=True)
def bn_inception_forward(bench: Bench) -> Iterator[Record]:
    """BN-Inception against Cadene's, in both layouts of the peer."""
    with threads(bench.threads):
        pair, x = bn_inception_pair(bench.peers), spectrogram()
        peer, last = peer_features(pair), deepcopy(peer_features(pair)).to(memory_format=torch.channels_last)
        actions = {f"ours {p}": forward(fuse_bn(pair.ours), x, p) for p in DTYPES}
        actions["peer"] = peer_forward(peer, x)
        actions["peer channels_last"] = peer_forward(last, x.contiguous(memory_format=torch.channels_last))
        proof = need_same(actions["ours float32"](), actions["peer"]())
        times = alternate(actions, 4 * bench.repeats)
    detail = f"{told(times, unit='ms')} a clip; {proof}"
    for against, goal in {"peer": 1.5, "peer channels_last": 1.0}.items():
        yield Record(
            f"bn-inception-forward-over-{against.replace(' ', '-')}",
            f"BN-Inception forward, 256 x 256, float32, over Cadene's{against.removeprefix('peer')}",
            ratio(times, against, "ours float32"),
            at_least(goal),
            detail=detail,
        )
    need_bfloat16()
    yield Record(
        "bn-inception-forward-bfloat16",
        "BN-Inception forward, bfloat16, over Cadene's in float32",
        ratio(times, "peer", "ours bfloat16"),
        at_least(1.5),
        detail=detail,
    )


@case()
def bn_inception_of_the_limit(bench: Bench) -> Iterator[Record]:
    """BN-Inception against the matrix product; no goal is set."""
    for precision in DTYPES:
        yield _of_the_limit(bench, "bn-inception", settled_bn_inception(), spectrogram(), precision, None)
    need_bfloat16()


def _of_the_limit(bench: Bench, name: str, network: nn.Module, x: Tensor, precision: str, goal: float | None) -> Record:
    """A network's rate of FLOPs over that of the best matrix product in the same precision, with the same threads."""
    with threads(bench.threads):
        flops = flops_of_network(network, x)
        product: Product = best_product(DTYPES[precision])
        actions = {"ours": forward(fuse_bn(network), x, precision), "product": product}
        times = alternate(actions, bench.repeats)
    value = ratio(times, "product", "ours", flops / product.flops)
    detail = f"{flops / 1e9:.1f} GFLOP a clip; {told(times)}, the product being of {product.flops / 1e9:.0f} GFLOP"
    return Record(
        f"{name}-of-the-limit-{precision}",
        f"{name} forward, {precision}, share of the matrix product's rate",
        value,
        None if goal is None else at_least(goal),
        detail=detail,
    )
