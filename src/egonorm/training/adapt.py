"""Networks that a method changes by unlabelled target clips: after training, or while they are judged."""

from collections.abc import Callable, Iterable, Iterator
from typing import cast

import torch

from egonorm.core import Batch, RunError
from egonorm.core.training import seed_for
from egonorm.nets.net import Net
from egonorm.training.runtime import Runtime

Adapt = Callable[[Net, Iterable[Batch]], Iterator[None] | None]
"""`Method.adapt` of a method."""


def adapt_to_all(adapt: Adapt, net: Net, target: Iterable[Batch], runtime: Runtime, seed: int) -> None:
    """Let a method change a net by all batches of the target, in the precision of the run."""
    runtime.seed(seed)
    with runtime.autocast():
        for _ in adapt(net, target) or ():
            pass


class OnlineAdaptation:
    """A net that a method changes batch by batch, in the precision of the run; the method's state lives as long as this."""

    def __init__(self, adapt: Adapt, net: Net, runtime: Runtime, seed: int):
        self._runtime, self._seed = runtime, seed
        self._shown, self._taken = 0, 0
        self._batch: Batch | None = None
        self._grad = torch.is_grad_enabled()
        self._steps = adapt(net, self._batches())

    def show(self, batch: Batch) -> None:
        """Go on until the net is ready to predict this batch, whose labels the method does not see.

        Raises:
            RunError: for a method that takes no batch before it yields, takes two, or ends.
        """
        self._batch, self._shown = batch.unlabelled(), self._shown + 1
        if not self._goes_on():
            self._refuse("an end")
        if self._taken < self._shown:
            self._refuse("a yield before the batch was taken")

    def finish(self) -> None:
        """Let the method know that there are no more batches, and do what it does then."""
        self._batch = None
        while self._goes_on():
            pass

    def _goes_on(self) -> bool:
        """Whether the method has yielded once more. Within its own torch.no_grad() or not is its own business."""
        self._runtime.seed(seed_for(self._seed, self._shown))
        with self._runtime.autocast(), torch.set_grad_enabled(self._grad):
            try:
                next(cast(Iterator[None], self._steps))
            except StopIteration:
                return False
            finally:
                self._grad = torch.is_grad_enabled()
            return True

    def _batches(self) -> Iterator[Batch]:
        while self._batch is not None:
            if self._taken == self._shown:
                self._refuse("a second batch taken before a yield")
            self._taken += 1
            yield self._batch

    def _refuse(self, got: str) -> None:
        raise RunError(
            f"The method's adapt does not go with the judging of batch {self._shown}.",
            got=got,
            expected="one yield for each batch that it takes from the target",
            remedy="Write adapt as a loop over the target: change the net by the batch, then yield.",
        )
