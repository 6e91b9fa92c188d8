"""Checkpoints that are whole or absent: written beside, synced, then renamed. Safetensors only, so nothing runs on reading."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from egonorm.core import RunError
from egonorm.core.tensors import write_tensors
from egonorm.nets.net import load_network, network_of, read_checkpoint, read_metadata
from egonorm.training.optimizer import check_state, load_state, state_of


@dataclass(frozen=True)
class Checkpoints:
    """A run's weights on disk: the last `keep` networks, `every` so many steps back from the last, and the state of training.

    The state is all that the optimiser keeps and the step whose network it belongs to. That network is written before it, and old
    ones are removed after it, so a kill between any two of these leaves a state from which training goes on to the same files.
    """

    folder: Path
    steps: int
    every: int
    keep: int

    @property
    def state(self) -> Path:
        """The state of training."""
        return self.folder / "state.safetensors"

    def path(self, step: int) -> Path:
        """The network of a step."""
        return network_of(self.folder, step)

    def is_due(self, step: int) -> bool:
        """Whether a checkpoint is written after this step; always after the last."""
        return (self.steps - step) % self.every == 0

    def is_judged(self, step: int) -> bool:
        """Whether the network of this step is one of the last, which stay."""
        return self.is_due(step) and step > self.steps - self.every * self.keep

    def saved(self) -> tuple[int, ...]:
        """The steps whose networks are on disk and part of the state."""
        last = self.last_step()
        found = sorted(int(path.stem) for path in self.folder.glob("[0-9]*.safetensors"))
        return tuple(step for step in found if step <= last)[-self.keep :]

    def last_step(self) -> int:
        """The step that the state of training stands at; 0 when nothing was saved."""
        return read_metadata(self.state)["step"] if self.state.exists() else 0

    def are_whole(self) -> bool:
        """Whether training is finished, and all its last networks are there."""
        due = tuple(step for step in range(1, self.steps + 1) if self.is_due(step))
        return self.last_step() == self.steps and self.saved() == due[-self.keep :]

    def save(self, step: int, net: nn.Module, optimizer: torch.optim.Optimizer, about: Mapping[str, object]) -> None:
        """Write the network and the state of training, then remove what is older than the last `keep`.

        `about` is stored with both: what the network was trained on, as JSON.
        """
        state = state_of(net, optimizer)
        weights = {name: x.contiguous().cpu() for name, x in net.state_dict().items()}
        write_tensors(self.path(step), weights, {"step": step, **about})
        write_tensors(self.state, state, {"step": step, **about})
        kept = {self.path(k) for k in self.saved()}
        for path in self.folder.glob("[0-9]*.safetensors"):
            if path not in kept:
                path.unlink()

    def resume(self, net: nn.Module, optimizer: torch.optim.Optimizer, about: Mapping[str, object]) -> int:
        """Load the state of training if there is one; the step that it stands at.

        Raises:
            RunError: for an optimiser whose state cannot be held, whether there is one or not; when it was trained on something
                else than `about` says or with another optimiser, or its network is gone.
        """
        check_state(net, optimizer)
        step = self.last_step()
        if step:
            stored = {name: value for name, value in read_metadata(self.state).items() if name != "step"}
            if stored != about:
                raise RunError(
                    f"The run in {self.folder.parent} was trained on other clips, or in other batches.",
                    got=json.dumps(about),
                    expected=json.dumps(stored),
                    remedy="Bring the data back to what they were, or start anew in another folder.",
                )
            self._load(step, net)
            load_state(net, optimizer, read_checkpoint(self.state))
        return step

    def _load(self, step: int, net: nn.Module) -> None:
        if not self.path(step).exists():
            raise RunError(
                f"The training in {self.folder.parent} cannot go on.",
                got=f"no file {self.path(step)}",
                expected="the network that the state of training belongs to",
                remedy="Bring it back, or train anew with another --out.",
            )
        load_network(self.path(step), net)
