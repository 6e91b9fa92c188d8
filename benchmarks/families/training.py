"""One training step, I3D and BN-Inception with losses: against the peers' code, and against the two networks alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.case import Bench, case
from benchmarks.limit import DTYPES, need_bfloat16
from benchmarks.ours import CPU, LABELS
from benchmarks.pairs import Pair, bn_inception_pair, i3d_pair, need_same, settled_bn_inception, settled_i3d
from benchmarks.record import Record, at_least, at_most
from benchmarks.timing import alternate, ratio, threads, told
from egonorm.core import Batch
from egonorm.core.training import Optim, Precision
from egonorm.methods import Rna
from egonorm.nets import Net
from egonorm.training import Objective, Runtime, train_steps
from egonorm.training.optimizer import make_optimizer

CLIPS = 4
"""In a step: what a process on a CPU holds with ease."""
OPTIM = Optim(batch=CLIPS)


def batch() -> Batch:
    """Random clips as they come from the loader: pictures as bytes, spectrograms prepared."""
    draw = torch.Generator().manual_seed(0)
    pictures = torch.randint(256, (CLIPS, 16, 224, 224, 3), dtype=torch.uint8, generator=draw)
    inputs = {"rgb": pictures, "audio": torch.randn(CLIPS, 1, 256, 256, generator=draw)}
    return Batch("D1", tuple(map(str, range(CLIPS))), inputs, torch.arange(CLIPS) % len(LABELS))


def our_step(rgb: nn.Module, audio: nn.Module, precision: Precision) -> Callable[[], None]:
    """A step of our loop: RNA-Net's objective, its gradient, the optimiser."""
    net = Net({"rgb": rgb, "audio": audio}, len(LABELS))
    runtime, objective = Runtime(CPU, precision), Objective(net, Rna())
    optimizer, seen = make_optimizer(OPTIM, net), (batch(),)
    return lambda: train_steps(objective, optimizer, OPTIM, [seen], 1, 0, runtime, lambda *_: None)


@dataclass(frozen=True)
class PeerStep:
    """A step with the peers' networks: summed logits, the published loss, SGD with momentum, float32 and torch's defaults."""

    rgb: nn.Module
    audio: nn.Module
    optimizer: torch.optim.Optimizer
    pictures: Tensor
    sound: Tensor
    labels: Tensor

    @staticmethod
    def of(rgb: nn.Module, audio: nn.Module) -> "PeerStep":
        """The step of these networks, on the clips that ours sees, as floats."""
        seen, parameters = batch(), [*rgb.parameters(), *audio.parameters()]
        optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=0.9, weight_decay=1e-7)
        pictures = seen.inputs["rgb"].permute(0, 4, 1, 2, 3).contiguous().float() / 127.5 - 1
        return PeerStep(rgb.train(), audio.train(), optimizer, pictures, seen.inputs["audio"], seen.labels)

    def features(self) -> tuple[Tensor, Tensor]:
        """Of both networks, behind their last mean."""
        maps = self.audio.features(self.sound)
        return self.rgb.extract_features(self.pictures).flatten(1), maps.mean(dim=(2, 3))

    def __call__(self) -> None:
        """Forward, loss, backward, update."""
        seen, heard = self.features()
        logits = self.rgb.logits(self.rgb.dropout(seen)[:, :, None, None, None]).flatten(1) + self.audio.last_linear(
            heard
        )
        balance = heard.norm(dim=1).mean() / seen.norm(dim=1).mean()
        loss = cross_entropy(logits, self.labels) + (balance - 1) ** 2
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def alone(encoder: nn.Module, x: Tensor, precision: Precision) -> Callable[[], None]:
    """One network forward and backward, its input being ready, and nothing else."""
    x = x.contiguous(memory_format=encoder.memory_format)

    def action() -> None:
        encoder.train().zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            feature = encoder(x)
        feature.float().sum().backward()

    return action


@case(quick=True)
def training_step(bench: Bench) -> Iterator[Record]:
    """Ours against the peers' networks in the loop that their scripts write."""
    with threads(bench.threads):
        rgb, audio = i3d_pair(bench.peers, len(LABELS)), bn_inception_pair(bench.peers, len(LABELS))
        peer = PeerStep.of(rgb.peer, audio.peer)
        proof = _same_features(rgb, audio, peer)
        steps = {
            f"ours {p}": our_step(rgb.ours if k else settled_i3d(), audio.ours if k else settled_bn_inception(), p)
            for k, p in enumerate(DTYPES)
        }
        times = alternate(steps | {"peers": peer}, max(3, bench.repeats // 2))
    detail = f"{told(times, CLIPS)} a clip, {CLIPS} in a step; {proof}"
    for precision in DTYPES:
        goal = at_least(3) if precision == [*DTYPES][-1] else None
        yield Record(
            f"training-step-{precision}",
            f"I3D, BN-Inception and losses, one training step, {precision}, over the peers'",
            ratio(times, "peers", f"ours {precision}"),
            goal,
            detail=detail,
        )
    need_bfloat16()


def _same_features(rgb: Pair, audio: Pair, peer: PeerStep) -> str:
    """That both see the same in what they are given, in evaluation."""
    with torch.no_grad():
        rgb.peer.eval(), audio.peer.eval()
        seen, heard = peer.features()
        words = need_same(rgb.ours.eval()(peer.pictures), seen), need_same(audio.ours.eval()(peer.sound), heard)
    rgb.peer.train(), audio.peer.train()
    return f"I3D: {words[0]}, BN-Inception: {words[1]}"


@case()
def training_step_over_networks(bench: Bench) -> Iterator[Record]:
    """The whole step against the forward and backward passes of its two networks."""
    seen = batch()
    pictures = seen.inputs["rgb"].permute(0, 4, 1, 2, 3).float() / 127.5 - 1
    for precision in DTYPES:
        rgb, audio = settled_i3d(), settled_bn_inception()
        parts = [alone(rgb, pictures, precision), alone(audio, seen.inputs["audio"], precision)]
        with threads(bench.threads):
            actions = {"step": our_step(rgb, audio, precision), "networks alone": lambda: [part() for part in parts]}  # noqa: B023
            times = alternate(actions, max(3, bench.repeats // 2))
        yield Record(
            f"training-step-over-networks-{precision}",
            f"one training step, {precision}, over its two networks forward and backward alone",
            ratio(times, "step", "networks alone"),
            at_most(1.05),
            detail=f"{told(times, CLIPS)} a clip",
        )
    need_bfloat16()
