"""The objective: from batches to named terms. The one module that is wrapped for many processes."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from egonorm.core import Batch, RunError, Seen, Terms, View
from egonorm.methods import Method
from egonorm.methods.base import changes_gradients
from egonorm.nets.net import Net
from egonorm.training.gather import gather
from egonorm.training.micro_batch import encode_in_pieces


class Objective(nn.Module):
    """The class loss of every labelled view, and the method's terms.

    Each domain's batch passes the network on its own, so batch norm never mixes domains within a step while its running
    averages see them in turn. The features are gathered from all processes before anything is computed of them: losses of
    batch statistics, such as relative norms, need the global batch. Losses are float32 whatever the precision.

    A batch may pass the encoders in `pieces`, for memory (`micro_batch.py`); all behind them sees it whole.
    """

    def __init__(self, net: Net, method: Method, pieces: int = 1):
        super().__init__()
        self.net, self.method, self.pieces = net, method, pieces

    @property
    def changes_gradients(self) -> bool:
        """Whether the method has a backward pass of its own."""
        return changes_gradients(self.method)

    def forward(self, batches: Sequence[Batch], progress: float) -> tuple[Terms, Seen]:
        """The terms of one step, and what is seen of each domain; `progress` goes from 0 to 1."""
        features = [self.net.apply_necks(encode_in_pieces(self.net, batch.inputs, self.pieces)) for batch in batches]
        with torch.autocast(next(self.net.parameters()).device.type, enabled=False):
            views = tuple(self._view(batch, found) for batch, found in zip(batches, features, strict=True))
            labelled = [(view.logits, view.labels) for view in views if view.labels is not None]
            terms = {"class": torch.stack([cross_entropy(logits, labels) for logits, labels in labelled]).sum()}
            seen = Seen(views, progress)
            terms |= self.method.terms(seen, self.net)
        return terms, seen

    def backward(self, terms: Terms, seen: Seen) -> None:
        """Give every parameter its gradient, as the method does.

        Raises:
            RunError: for a method after whose own backward pass no parameter has one.
        """
        self.method.backward(terms, seen, self.net)
        if self.changes_gradients and all(parameter.grad is None for parameter in self.net.parameters()):
            raise RunError(
                f"The method {self.method.name()} trains nothing.",
                got="no gradient after its backward",
                expected="gradients of the network's parameters",
                remedy="Call super().backward(terms, seen, net) in it, or the backward of a loss of its own.",
            )

    def _view(self, batch: Batch, features: dict[str, Tensor]) -> View:
        features = {name: gather(x) for name, x in features.items()}
        labels = None if batch.labels is None else gather(batch.labels)
        return View(batch.domain, features, self.net.classify(features), labels)
