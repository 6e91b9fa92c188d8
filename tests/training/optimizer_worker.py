"""What each process of `test_distributed.py` runs for the optimisers: six steps of each way on its share of the rows.

optimizer_worker.py OUT
"""

import sys
from pathlib import Path

import torch
from methods_worker import CLIPS, STEPS, Encoder, batch

from egonorm.core.training import Optim
from egonorm.methods import parse_method
from egonorm.nets.net import Net
from egonorm.training.engine import Objective, train_steps
from egonorm.training.optimizer import freeze, make_optimizer
from egonorm.training.runtime import Runtime, start_runtime

ADAMW = {"optimizer": "adamw", "lr": 0.001, "warm_up": 2, "schedule": "cosine"}
FROZEN = {"frozen": ("audio.encoder",), "lr_factors": {"rgb.encoder": 0.1, "fusion": 2}}
WAYS = {
    "adamw": ("rna", ADAMW),
    "frozen": ("batch-norm", {"frozen": ("rgb.encoder.0", "audio.neck")}),
    "frozen, adamw, factors": ("rna", ADAMW | FROZEN),
    "micro-batch": ("rna", ADAMW | FROZEN | {"micro_batch": CLIPS // 2}),
    "gradients of its own": ("user_methods:Ogm", FROZEN),
}


def trained(method: str, changes: dict, runtime: Runtime) -> dict[str, torch.Tensor]:
    """The weights and statistics that a way comes to."""
    torch.manual_seed(0)
    method, optim = parse_method(method), Optim(steps=STEPS, batch=CLIPS, **changes)
    net = Net({m: Encoder() for m in ("rgb", "audio")}, 4)
    method.prepare(net)
    freeze(optim, net.double())
    model, share = runtime.wrap(Objective(net, method, optim.pieces)), runtime.share(CLIPS)
    rows = runtime.rank * share, (runtime.rank + 1) * share
    seen = [[batch("D1", step, True).rows(*rows)] for step in range(STEPS)]
    train_steps(model, make_optimizer(optim, net), optim, seen, 1, 3, runtime, lambda *_: None)
    return net.state_dict()


if __name__ == "__main__":
    torch.set_num_threads(1)
    with start_runtime("cpu") as runtime:
        weights = {f"{way}/{key}": x for way, given in WAYS.items() for key, x in trained(*given, runtime).items()}
        if runtime.is_first:
            torch.save(weights, Path(sys.argv[1]))
