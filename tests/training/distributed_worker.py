"""What each process of `test_distributed.py` runs: the same training on its share of the rows, under torchrun or alone."""

import sys
from pathlib import Path

import torch

from egonorm.core import Batch
from egonorm.core.training import Optim
from egonorm.methods import Rna
from egonorm.nets.bn_inception import BnInception
from egonorm.nets.i3d import I3d
from egonorm.nets.net import Net
from egonorm.training.engine import Objective, train_steps
from egonorm.training.optimizer import make_optimizer
from egonorm.training.runtime import start_runtime

CLIPS = 8


def batch(domain: str, step: int, labelled: bool) -> Batch:
    """The global batch of a step."""
    generator = torch.Generator().manual_seed(1000 * step + len(domain))
    labels = torch.randint(0, 4, (CLIPS,), generator=generator)
    rgb = torch.rand(CLIPS, 3, 4, 64, 64, generator=generator, dtype=torch.float64)
    audio = torch.randn(CLIPS, 1, 64, 64, generator=generator, dtype=torch.float64) + labels.view(-1, 1, 1, 1)
    uids = tuple(f"{domain}-{k}" for k in range(CLIPS))
    return Batch(domain, uids, {"rgb": rgb, "audio": audio}, labels if labelled else None)


def main(out: Path, steps: int) -> None:
    """Train in float64, where what rounding leaves stays small enough to tell it from a mistake; write the weights."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = Net({"rgb": I3d(3, 0.0625), "audio": BnInception(1, 0.0625)}, 4).double()
    optim = Optim(steps=steps, batch=CLIPS, lr=0.001)
    with start_runtime("cpu") as runtime:
        model = runtime.wrap(Objective(net, Rna()))
        share = runtime.share(CLIPS)
        mine = slice(runtime.rank * share, (runtime.rank + 1) * share)
        seen = [
            [batch("D1", s, True).rows(mine.start, mine.stop), batch("D22", s, False).rows(mine.start, mine.stop)]
            for s in range(steps)
        ]
        train_steps(model, make_optimizer(optim, net), optim, seen, 1, 3, runtime, lambda *_: None)
        if runtime.is_first:
            torch.save(net.state_dict(), out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
