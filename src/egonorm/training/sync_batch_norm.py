"""Batch norm over the whole batch when several processes on CPUs share it, as torch's SyncBatchNorm does on GPUs."""

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm
from torch.nn.modules.batchnorm import _BatchNorm

from egonorm.training.gather import sum_over_processes


class WholeBatchNorm(_BatchNorm):
    """Batch norm whose training statistics are those of every process's rows together."""

    def _check_input_dim(self, x: Tensor) -> None:
        if x.dim() < 2:
            raise ValueError(f"Batch norm needs a batch and channels; got the shape {tuple(x.shape)}.")

    def forward(self, x: Tensor) -> Tensor:
        """Normalise per channel; in evaluation by the running averages."""
        if not self.training:
            return super().forward(x)
        with torch.no_grad():
            mean, variance, count = _statistics(x)
            assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
            assert self.num_batches_tracked is not None
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
            self.num_batches_tracked += 1
        return _Normalise.apply(x, self.weight, self.bias, mean, variance, self.eps, count)


def _statistics(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Per channel the mean and the variance over every process's rows, and how many values each is of."""
    own = x.new_tensor(float(x.numel() // x.shape[1]), dtype=torch.promote_types(x.dtype, torch.float32))
    variance, mean = torch.var_mean(x.to(own.dtype), _axes(x), correction=0)
    count = sum_over_processes(own)
    whole = sum_over_processes(mean * own) / count
    return whole, sum_over_processes((variance + (mean - whole).square()) * own) / count, count


class _Normalise(torch.autograd.Function):
    """Subtract the mean, divide by the deviation, scale and shift; the gradient knows that both are functions of all rows."""

    @staticmethod
    def forward(
        ctx, x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, eps: float, count: Tensor
    ):
        ctx.save_for_backward(x, weight, mean, torch.rsqrt(variance + eps), count)
        return batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        """With n the normalised x and g the gradient: weight / deviation * (g - mean(g) - n * mean(g * n))."""
        x, weight, mean, inverse, count = ctx.saved_tensors
        axes, shape = _axes(x), [1, -1] + [1] * (x.dim() - 2)
        wide, normal = gradient.to(mean.dtype), (x - mean.view(shape)).mul_(inverse.view(shape))
        of_bias, of_weight = wide.sum(axes), (wide * normal).sum(axes)
        of_mean, of_slope = sum_over_processes(torch.stack([of_bias, of_weight])) / count
        moved = (
            normal.mul_(-of_slope.view(shape)).add_(wide).sub_(of_mean.view(shape)).mul_((weight * inverse).view(shape))
        )
        return moved.to(x.dtype), of_weight, of_bias, None, None, None, None


def _axes(x: Tensor) -> list[int]:
    """All but the channels."""
    return [0, *range(2, x.dim())]


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
