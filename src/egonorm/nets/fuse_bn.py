"""Folding for evaluation: a batch norm that only scales and shifts becomes part of the convolution before it."""

import copy
import itertools
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

Network = TypeVar("Network", bound=nn.Module)


def fuse_bn(net: Network) -> Network:
    """A copy of a network that gives the same features in evaluation with fewer operations, and cannot be trained.

    Folded is what is inside encoders that declare `norms_follow`: there every batch norm that is registered right behind a
    convolution normalises that convolution's output and nothing else. The copy has no such layers any more and its
    convolutions have a bias; all other modules are copied as they are. The network itself is not changed.
    """
    return fuse_bn_in_place(copy.deepcopy(net))


def fuse_bn_in_place(net: Network) -> Network:
    """The same without a copy: the network itself is changed and returned."""
    net.eval().requires_grad_(False)
    for encoder in [module for module in net.modules() if getattr(module, "norms_follow", False)]:
        for parent in encoder.modules():
            _fold_children(parent)
    return net


def _fold_children(parent: nn.Module) -> None:
    children = list(parent.named_children())
    for (_, conv), (name, norm) in itertools.pairwise(children):
        if isinstance(conv, _ConvNd) and isinstance(norm, _BatchNorm) and conv.out_channels == norm.num_features:
            _absorb(conv, norm)
            setattr(parent, name, nn.Identity())


def _absorb(conv: _ConvNd, norm: _BatchNorm) -> None:
    """Make the convolution give what the batch norm makes of its output by the running statistics."""
    scale, shift = _as_scale_and_shift(norm)
    bias = 0.0 if conv.bias is None else conv.bias.double()
    kernel = conv.weight.double() * scale.view(-1, *[1] * (conv.weight.dim() - 1))
    conv.weight = _constant(kernel, conv.weight)
    conv.bias = _constant(bias * scale + shift, conv.weight)


def _as_scale_and_shift(norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight.double() * torch.rsqrt(norm.running_var.double() + norm.eps)
    return scale, norm.bias.double() - norm.running_mean.double() * scale


def _constant(values: Tensor, like: Tensor) -> nn.Parameter:
    return nn.Parameter(values.to(like.dtype), requires_grad=False)
