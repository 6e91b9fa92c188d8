"""Safetensors files that say what they are, and by a digest whether they are still what was written."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from egonorm.core.files import parse_json, write_atomically

METADATA = "egonorm"
"""The one key of a file's header; several would come in any order, and equal tensors must give equal bytes."""
DIGEST = "digest"
"""Among what is said: of the tensors and all else that is said. Older files have none."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, object]) -> None:
    """Write named tensors, contiguous and on the CPU, and what is to be known of them, as JSON; all or nothing."""
    told = {**about, DIGEST: digest_of(tensors, about)}
    write_atomically(path, safetensors.torch.save(dict(tensors), {METADATA: json.dumps(told)}))


def read_about(path: Path) -> dict[str, Any]:
    """What a file says of its tensors, which are not read.

    Raises:
        OSError, ValueError: for a file that is none.
    """
    return _about(path)[0]


def has_digest(path: Path) -> bool:
    """Whether a file has a digest. OSError or ValueError for a file that is none."""
    return _about(path)[1] is not None


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, mapped, all of which have been compared with its digest, if it has one.

    Raises:
        OSError, ValueError: for a file that is none, or is not as it was written.
    """
    about, stated = _about(path)
    try:
        tensors = safetensors.torch.load_file(path)
    except safetensors.SafetensorError as error:
        raise ValueError(str(error)) from None
    if stated is not None and (found := digest_of(tensors, about)) != stated:
        raise ValueError(f"damaged: a content of digest {found}, where {stated} was written")
    return tensors


def _about(path: Path) -> tuple[dict[str, Any], object]:
    """What a file says, and its digest; None where it says none."""
    try:
        with safetensors.safe_open(path, "pt") as file:
            told = parse_json((file.metadata() or {}).get(METADATA, "{}"))
    except safetensors.SafetensorError as error:
        raise ValueError(str(error)) from None
    if not isinstance(told, dict):
        raise ValueError(f"metadata that are a {type(told).__name__}")
    return told, told.pop(DIGEST, None)


def digest_of(tensors: Mapping[str, Tensor], about: Mapping[str, object]) -> str:
    """Sixteen hexadecimal digits that stand for what tensors hold and for what is said about them."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, x in sorted(tensors.items()):
        digest.update(f"{name} {tuple(x.shape)} {x.dtype} ".encode())
        if x.numel():
            digest.update(x.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]
