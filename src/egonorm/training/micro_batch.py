"""A batch whose activations do not fit: the encoders see it in pieces, all behind them sees it whole; the gradient is exact."""

from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from egonorm.nets.net import Net


def encode_in_pieces(net: Net, inputs: Mapping[str, Tensor], pieces: int) -> dict[str, Float[Tensor, "clip _"]]:
    """What each modality's encoder makes of a batch, in so many equal pieces one after the other; in one piece, as usual.

    Of a piece nothing is kept but its input and its features. Once the gradient of the loss with respect to the features of the
    whole batch is known, each piece passes a second time, with all that its own backward pass needs, and that is freed before
    the next one does. Both times the piece has the same batch-norm statistics, its own, and the same random numbers; the
    running averages hear of it once.

    Piece k is every `pieces`-th row from row k on. The rows that several processes have in their pieces k are then those that
    one process has in its piece k, and so are the statistics.
    """
    if pieces == 1:
        return {name: net.encode(name, inputs[name]) for name in net.encoders}
    found = {}
    for name, encoder in net.encoders.items():
        passes = partial(_passes, encoder)
        rows = [inputs[name][k::pieces] for k in range(pieces)]
        parts = [checkpoint(net.encode, name, x, use_reentrant=False, context_fn=passes) for x in rows]
        found[name] = torch.stack(parts, dim=1).flatten(0, 1)
    return found


def _passes(encoder: nn.Module):
    """What surrounds the first pass of a piece, and each later one: one for every backward pass."""
    return nullcontext(), _Unheard(encoder)


class _Unheard:
    """Let what the encoder notes of its input, the running averages, be noted on copies that are thrown away.

    Putting the old values back instead would change tensors that the graph of the second pass holds.
    """

    def __init__(self, encoder: nn.Module):
        self._encoder = encoder
        self._own: list[tuple[nn.Module, str, Tensor]] = []

    def __enter__(self) -> None:
        parts = self._encoder.modules()
        self._own = [(part, name, x) for part in parts for name, x in part.named_buffers(recurse=False)]
        for part, name, x in self._own:
            setattr(part, name, x.clone())

    def __exit__(self, *error) -> None:
        for part, name, x in self._own:
            setattr(part, name, x)
