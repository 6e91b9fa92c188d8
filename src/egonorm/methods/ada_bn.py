"""AdaBN: after training, every batch norm's statistics become those of the target."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from egonorm.core import Batch, RunError
from egonorm.methods.base import Method
from egonorm.nets.layers import FeatureNorm
from egonorm.nets.net import Net


@dataclass(frozen=True)
class AdaBn(Method):
    """AdaBN: train as Source Only, then replace the batch norms' running statistics by the target's (arXiv 2106.01689, Table 2).

    So the paper describes it, after Li et al. (2016). MM-SADA's code passes target clips through the network while it trains, so
    that running averages of both domains come out, and the authors' later code keeps two sets of statistics. Here the
    target's training clips pass once, after the last step, and each statistic is the mean over their batches; a last
    batch of one clip is left out, it has no variance. The sources are judged with the statistics of training. An encoder without
    batch norms, as that of stored features, gets one behind it, as in `BatchNorm`.
    """

    target_use: ClassVar[frozenset[str]] = frozenset({"after"})
    target_needed: ClassVar[bool] = True

    def prepare(self, net: Net) -> None:
        """Put a batch norm behind each encoder that has none."""
        for modality, encoder in net.encoders.items():
            if not any(isinstance(module, _BatchNorm) for module in encoder.modules()):
                net.necks[modality] = FeatureNorm(net.num_features[modality])

    def adapt(self, net: Net, target: Iterable[Batch]) -> None:
        """Measure every batch norm's statistics anew on the target's clips."""
        layers = [module for module in net.modules() if isinstance(module, _BatchNorm)]
        momenta = [layer.momentum for layer in layers]
        net.eval()
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # the mean over all batches, not a decaying one
            layer.train()
        shown = 0
        with torch.no_grad():
            for batch in target:
                if len(batch) > 1:
                    net.features(batch.inputs)
                    shown += 1
        if not shown:
            raise RunError(
                "AdaBN has no statistics of the target.",
                got="no batch of several clips",
                expected="one or more",
                remedy="Correct --batch, or bring more training clips of the target.",
            )
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        net.eval()
