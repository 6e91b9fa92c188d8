"""A network on disk: its weights and what was said about it, as safetensors, so that nothing runs on reading."""

import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import nn

from egonorm.core import RunError

METADATA = "egonorm"
"""The one key of a checkpoint's header; several would come in any order, and equal runs must give equal bytes."""


def network_of(folder: Path, step: int) -> Path:
    """The file of a step's network among a run's checkpoints."""
    return folder / f"{step:06d}.safetensors"


def load_network(path: Path, net: nn.Module) -> None:
    """Load a checkpoint's weights into a network of the same shape."""
    try:
        net.load_state_dict(safetensors.torch.load_file(path))
    except (RuntimeError, safetensors.SafetensorError) as error:
        raise RunError(
            f"{path} does not fit the network.",
            got=str(error).splitlines()[0],
            expected="the weights that this run's configuration describes",
            remedy="Test it with the configuration that it was trained with.",
        ) from None


def read_metadata(path: Path) -> dict[str, Any]:
    """The `step` of a checkpoint and what was said about it when it was saved. RunError when the file is no checkpoint."""
    try:
        with safetensors.safe_open(path, "pt") as file:
            return json.loads((file.metadata() or {})[METADATA])
    except (OSError, ValueError, KeyError, safetensors.SafetensorError) as error:
        raise RunError(
            f"{path} is not a checkpoint.",
            got=str(error),
            expected="a safetensors file written by training",
            remedy="Remove it; the run then goes on from the start.",
        ) from None
