"""Batch norm over the whole batch when several processes on CPUs share it, as torch's SyncBatchNorm does on GPUs."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from egonorm.train.gather import sum_over_processes


class WholeBatchNorm(_BatchNorm):
    """Batch norm whose training statistics are those of every process's rows together."""

    def _check_input_dim(self, x: Tensor) -> None:
        if x.dim() < 2:
            raise ValueError(f"Batch norm needs a batch and channels; got the shape {tuple(x.shape)}.")

    def forward(self, x: Tensor) -> Tensor:
        """Normalise per channel; in evaluation by the running averages."""
        if not self.training:
            return super().forward(x)
        axes = [0, *range(2, x.dim())]
        shape = [1, -1] + [1] * (x.dim() - 2)
        values = x.to(torch.promote_types(x.dtype, torch.float32))
        count = sum_over_processes(values.new_tensor(float(x.numel() // x.shape[1])))
        mean = sum_over_processes(values.sum(axes)) / count
        centred = values - mean.view(shape)
        variance = sum_over_processes(centred.square().sum(axes)) / count
        self._remember(mean.detach(), variance.detach() * count / (count - 1))
        normal = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.weight is not None:
            normal = normal * self.weight.view(shape) + self.bias.view(shape)
        return normal.to(x.dtype)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        self.num_batches_tracked += 1


def share_batch_norm(module: nn.Module, device: torch.device) -> nn.Module:
    """The module with every batch norm replaced by one over all processes; parameters and names stay."""
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(module)
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm):
            shared = WholeBatchNorm(child.num_features, child.eps, child.momentum, affine=False)
            shared.weight, shared.bias = child.weight, child.bias
            for key, buffer in child.named_buffers():
                setattr(shared, key, buffer)
            module.add_module(name, shared.train(child.training))
        else:
            share_batch_norm(child, device)
    return module
