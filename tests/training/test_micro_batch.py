"""Micro-batches: the gradient of the whole batch, statistics of each piece that are heard of once, and less memory."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from egonorm.core import Batch, RunError
from egonorm.core.training import Optim
from egonorm.methods import Method, Rna, methods
from egonorm.nets.bn_inception import BnInception
from egonorm.nets.i3d import I3d
from egonorm.nets.net import Net
from egonorm.runs.config import Run
from egonorm.runs.results import is_complete
from egonorm.runs.run import Options, RunContext, execute
from egonorm.training.engine import Objective
from egonorm.training.runtime import Runtime, start_runtime
from our_methods import our_methods

pytestmark = pytest.mark.slow

CLIPS, CLASSES = 8, 3
OURS = sorted(our_methods())


class Encoder(nn.Sequential):
    """Layers with batch norms between them, and dropout inside, which none of ours has."""

    memory_format, num_features = torch.contiguous_format, 5

    def __init__(self):
        layers = nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(inplace=True), nn.Dropout(0.3)
        super().__init__(*layers, nn.Linear(6, 5), nn.BatchNorm1d(5))


class InOneGraph(Net):
    """A net whose encoders see a batch in pieces, all in one graph as autograd makes it: what must come out."""

    pieces = 1

    def encode(self, name: str, x: Tensor) -> Tensor:
        """The features of all pieces, in the order of the rows."""
        found = [super(InOneGraph, self).encode(name, x[k :: self.pieces]) for k in range(self.pieces)]
        return torch.stack(found, dim=1).flatten(0, 1)


def made(method: Method, kind: type[Net] = Net) -> Net:
    torch.manual_seed(0)
    net = kind({"rgb": Encoder(), "audio": Encoder()}, CLASSES)
    method.prepare(net)
    return net.double()


def batches(method: Method, dtype=torch.float64) -> list[Batch]:
    generator = torch.Generator().manual_seed(1)
    number = lambda: torch.randn(CLIPS, 4, generator=generator, dtype=dtype)  # noqa: E731
    labels = torch.arange(CLIPS) % CLASSES
    uids = tuple(map(str, range(CLIPS)))
    source, target = ({"rgb": number(), "audio": 3 * number()} for _ in range(2))
    return [Batch("D1", uids, source, labels)] + [Batch("D2", uids, target, None)] * ("training" in method.target_use)


def descend(net: Net, method: Method, seen: list[Batch], pieces: int, precision="float32") -> dict[str, Tensor]:
    """The terms of a step and every parameter's gradient."""
    torch.manual_seed(2)
    with Runtime(torch.device("cpu"), precision).autocast():
        terms, _ = Objective(net, method, pieces)(seen, 0.6)
    torch.stack(list(terms.values())).sum().backward()
    return terms | {name: x.grad for name, x in net.named_parameters() if x.grad is not None}


def assert_close(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float) -> None:
    """Each tensor within the tolerance, relative to the length of all of them."""
    assert found.keys() == expected.keys()
    scale = torch.stack([x.detach().norm() for x in expected.values()]).norm()
    for name, x in found.items():
        assert (x - expected[name]).detach().norm() <= tolerance * scale, name


@pytest.mark.parametrize("pieces", [2, 4])
@pytest.mark.parametrize("name", OURS)
def test_with_batch_norm_at_rest_the_gradient_is_that_of_the_whole_batch(name, pieces):
    method = methods()[name]()
    seen, found = batches(method), []
    for count in (1, pieces):
        net = made(method)
        net.encoders.eval()
        found.append(descend(net, method, seen, count))
    assert_close(found[1], found[0], 1e-12)


@pytest.mark.parametrize("pieces", [2, 4])
@pytest.mark.parametrize("name", OURS)
def test_with_statistics_of_each_piece_the_gradient_is_that_of_one_graph(name, pieces):
    """Batch norm and dropout of both passes agree, or the gradients would not; the running averages heard of each piece once."""
    method = methods()[name]()
    net, reference = made(method), made(method, InOneGraph)
    reference.pieces = pieces
    seen = batches(method)
    assert_close(descend(net, method, seen, pieces), descend(reference, method, seen, 1), 1e-12)
    for (key, x), y in zip(net.named_buffers(), reference.buffers(), strict=True):
        torch.testing.assert_close(x, y, rtol=1e-12, atol=1e-12, msg=key)
    for encoder in net.encoders.values():
        assert encoder[1].num_batches_tracked == pieces * len(seen)


def test_a_neck_sees_the_whole_batch():
    method = methods()["batch-norm"]()
    net = made(method)
    descend(net, method, batches(method), 4)
    assert [neck.num_batches_tracked.item() for neck in net.necks.values()] == [1, 1]
    assert [encoder[1].num_batches_tracked.item() for encoder in net.encoders.values()] == [4, 4]


def test_in_bfloat16_the_gradient_is_that_of_one_graph_too():
    net, reference = made(Rna()).float(), made(Rna(), InOneGraph).float()
    reference.pieces = 2
    seen = batches(Rna(), torch.float32)
    found = descend(net, Rna(), seen, 2, "bfloat16")
    assert_close(found, descend(reference, Rna(), seen, 1, "bfloat16"), 1e-2)
    assert all(x.dtype == torch.float32 for x in found.values())


def pictures_and_sound(domain: str, clips: int, labelled: bool) -> Batch:
    generator = torch.Generator().manual_seed(len(domain))
    shapes = {"rgb": (clips, 3, 8, 64, 64), "audio": (clips, 1, 64, 64)}
    inputs = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return Batch(domain, tuple(map(str, range(clips))), inputs, torch.arange(clips) % CLASSES if labelled else None)


def networks() -> Net:
    torch.manual_seed(0)
    return Net({"rgb": I3d(3, 0.125), "audio": BnInception(1, 0.125)}, CLASSES)


def test_in_float32_on_both_networks_within_a_hundred_thousandth():
    """Batch norm at rest: the whole batch and pieces of it give one gradient, but for the rounding of float32."""
    seen, found = [pictures_and_sound("D1", 8, True), pictures_and_sound("D22", 8, False)], []
    for pieces in (1, 4):
        net = networks()
        net.encoders.eval()
        found.append(descend(net, Rna(), seen, pieces))
    assert_close(found[1], found[0], 1e-5)


def peak(pieces: int) -> int:
    """The most bytes that one step holds at a time, beyond what was there before it."""
    net, seen = networks(), [pictures_and_sound("D1", 16, True), pictures_and_sound("D22", 16, False)]
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        descend(net, Rna(), seen, pieces)
    held = most = 0
    for event in watched.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most


def test_memory_falls_with_the_micro_batch():
    """The whole batch holds the activations of two domains, pieces those of one piece; a fifth for weights and gradients."""
    whole = peak(1)
    for pieces in (2, 4):
        assert peak(pieces) < 1.2 * whole / (2 * pieces)


def train_in_halves(run: Run, folder) -> dict[str, bytes]:
    """The checkpoints of a run whose batches of four pass in two pieces."""
    halved = replace(run, method=Rna(), optim=replace(run.optim, micro_batch=2))
    with start_runtime("cpu") as runtime:
        execute(RunContext(halved, folder, runtime, Options()))
    return {path.name: path.read_bytes() for path in (folder / "checkpoints").iterdir()}


def test_a_run_in_pieces_that_is_stopped_goes_on_to_the_same_bytes(run, tmp_path, monkeypatch):
    expected = train_in_halves(run, tmp_path / "unbroken")
    forward, calls = Objective.forward, []

    def forward_thrice(self, *arguments):
        calls.append(self.pieces)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return forward(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Objective, "forward", forward_thrice)
        with pytest.raises(KeyboardInterrupt):
            train_in_halves(run, tmp_path / "stopped")
    assert calls == [2] * 4 and not is_complete(tmp_path / "stopped")
    assert train_in_halves(run, tmp_path / "stopped") == expected


@pytest.mark.parametrize("micro_batch", [-2, 0, 1, 3, 16])
def test_pieces_that_cannot_be(micro_batch):
    with pytest.raises(
        RunError, match=rf"--micro-batch {micro_batch}, batch 8(.|\n)*2 or more(.|\n)*divides the batch"
    ):
        Optim(batch=8, micro_batch=micro_batch)


def test_how_many_pieces():
    assert [Optim(batch=8, micro_batch=m).pieces for m in (None, 2, 4, 8)] == [1, 4, 2, 1]


def test_a_micro_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(RunError, match=r"micro-batch 2, 4 processes(.|\n)*Change --micro-batch or"):
        Runtime(torch.device("cpu"), rank=0, num_ranks=4).share(2, "micro-batch")
