"""The objective: from batches to named terms. The one module that is wrapped for many processes."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from egonorm.core import Batch, Seen, Terms, View
from egonorm.methods import Method
from egonorm.nets.net import Net
from egonorm.training.gather import gather
from egonorm.training.micro_batch import encode_in_pieces
from egonorm.training.monitor import Glance, glance


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

    def forward(self, batches: Sequence[Batch], progress: float) -> tuple[Terms, tuple[Glance, ...]]:
        """The terms of one step, and for the record what is seen of each domain; `progress` goes from 0 to 1."""
        features = [self.net.apply_necks(encode_in_pieces(self.net, batch.inputs, self.pieces)) for batch in batches]
        with torch.autocast(next(self.net.parameters()).device.type, enabled=False):
            views = tuple(self._view(batch, found) for batch, found in zip(batches, features, strict=True))
            labelled = [view for view in views if view.labels is not None]
            terms = {"class": torch.stack([cross_entropy(v.logits, v.labels) for v in labelled]).sum()}
            terms |= self.method.terms(Seen(views, progress), self.net)
        return terms, tuple(map(glance, views))

    def _view(self, batch: Batch, features: dict[str, Tensor]) -> View:
        features = {name: gather(x) for name, x in features.items()}
        labels = None if batch.labels is None else gather(batch.labels)
        return View(batch.domain, features, self.net.classify(features), labels)
