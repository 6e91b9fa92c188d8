"""AdaBN: after training, every batch norm's statistics become those of the target."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
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
    target's training clips pass once, after the last step, each in as many windows as it is judged by; the statistics are those
    of all that passes: the mean, and the variance around it, within batches and between them. What a layer is shown is made by
    the statistics of its batch. A last batch of one window is left out, it has no variance. The sources are judged with the
    statistics of training. An encoder without batch norms, as that of stored features, gets one behind it, as in `BatchNorm`.
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
        layers = [module for module in net.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
        seen: dict[nn.Module, list[tuple[int, Tensor, Tensor]]] = {layer: [] for layer in layers}
        hooks = [
            layer.register_forward_pre_hook(lambda layer, x: seen[layer].append(_moments(x[0]))) for layer in layers
        ]
        net.eval()
        for layer in layers:
            layer.train()
        try:
            with torch.no_grad():
                for batch in target:
                    if len(batch) > 1:
                        net.features(batch.inputs)
        finally:
            for hook in hooks:
                hook.remove()
            net.eval()
        if not any(seen.values()):
            raise RunError(
                "AdaBN has no statistics of the target.",
                got="no batch of several clips",
                expected="one or more",
                remedy="Correct --batch, or bring more training clips of the target.",
            )
        for layer in layers:
            if seen[layer]:  # an encoder may have layers that features do not pass
                _pool(layer, seen[layer])


def _moments(
    x: Float[Tensor, "clip channel *place"],
) -> tuple[int, Float[Tensor, " channel"], Float[Tensor, " channel"]]:
    """How many numbers a channel has, their mean and their variance around it."""
    variance, mean = torch.var_mean(x.float() if x.dtype.itemsize < 4 else x, [0, *range(2, x.dim())], correction=0)
    return x.numel() // x.shape[1], mean.double(), variance.double()


def _pool(layer: _BatchNorm, parts: Sequence[tuple[int, Tensor, Tensor]]) -> None:
    """Set a layer's running statistics to those of several batches together; the variance is the unbiased one, as in training."""
    total = sum(count for count, _, _ in parts)
    mean = torch.stack([count * mean for count, mean, _ in parts]).sum(dim=0) / total
    squares = torch.stack([count * (variance + (own - mean).square()) for count, own, variance in parts]).sum(dim=0)
    assert layer.running_mean is not None and layer.running_var is not None and layer.num_batches_tracked is not None
    layer.running_mean.copy_(mean)
    layer.running_var.copy_(squares / (total - 1))
    layer.num_batches_tracked.fill_(len(parts))
