"""What each process of `test_distributed.py` runs for the methods: six steps of each, at once and in two pieces.

methods_worker.py OUT [METHOD ...]
"""

import sys
from pathlib import Path

import torch
from torch import nn

from egonorm.core import Batch
from egonorm.core.training import Optim
from egonorm.methods import methods, parse_method
from egonorm.nets.net import Net
from egonorm.training.engine import Objective, train_steps
from egonorm.training.optimizer import make_optimizer
from egonorm.training.runtime import Runtime, start_runtime

STEPS, CLIPS = 6, 8


class Encoder(nn.Sequential):
    """A linear layer and a batch norm."""

    memory_format, num_features = torch.contiguous_format, 5

    def __init__(self):
        super().__init__(nn.Linear(3, 5), nn.BatchNorm1d(5))


def batch(domain: str, step: int, labelled: bool) -> Batch:
    """The global batch of a step."""
    generator = torch.Generator().manual_seed(1000 * step + len(domain))
    inputs = {m: torch.randn(CLIPS, 3, generator=generator, dtype=torch.float64) for m in ("rgb", "audio")}
    return Batch(domain, tuple(map(str, range(CLIPS))), inputs, torch.arange(CLIPS) % 4 if labelled else None)


def trained(name: str, pieces: int, runtime: Runtime) -> dict[str, torch.Tensor]:
    """The weights that a method comes to."""
    torch.manual_seed(0)
    method = parse_method(name)
    net = Net({m: Encoder() for m in ("rgb", "audio")}, 4)
    method.prepare(net)
    net.double()
    optim, model = Optim(steps=STEPS, batch=CLIPS), runtime.wrap(Objective(net, method, pieces))
    share = runtime.share(CLIPS)
    rows = runtime.rank * share, (runtime.rank + 1) * share
    domains = [("D1", True)] + [("D22", False)] * ("training" in method.target_use)
    seen = [[batch(domain, step, labelled).rows(*rows) for domain, labelled in domains] for step in range(STEPS)]
    train_steps(model, make_optimizer(optim, net), optim, seen, 1, 3, runtime, lambda *_: None)
    return net.state_dict()


if __name__ == "__main__":
    torch.set_num_threads(1)
    with start_runtime("cpu") as runtime:
        ways = [(name, pieces) for name in sys.argv[2:] or sorted(methods()) for pieces in (1, 2)]
        weights = {
            f"{name}.{pieces}.{key}": x for name, pieces in ways for key, x in trained(name, pieces, runtime).items()
        }
        if runtime.is_first:
            torch.save(weights, Path(sys.argv[1]))
