"""Loading pretrained weights: published key layouts, from a path or a URL, checked before anything is changed."""

import hashlib
import re
import shutil
from collections import defaultdict
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit
from urllib.request import urlopen

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from egonorm.core.errors import WeightsError, some
from egonorm.core.files import cache_folder, checksum, fitting, replacing

State = dict[str, Tensor]

_HEADS = {"logits", "last_linear", "fc", "fc-action", "fc_action", "_fc"}
"""Classifiers of the published files, which an encoder does not have."""

_REASON = re.compile(r"(Unsupported|Trying to).+?(?=\. Please|\n|$)")  # torch hides it in advice to run the file's code
_FIRST_LINE = re.compile(r".*")
_RGB_CHANNELS = 3
_SHOWN = 3
"""Keys of each kind that an error names."""


def load_weights(encoder: nn.Module, source: str | Path, sha256: str | None = None, cache: Path | None = None) -> None:
    """Fill `encoder` with the weights in a file or at a URL, or raise WeightsError and leave it as it was.

    `source` is a `.safetensors` file or one that `torch.save` wrote, which is read without running code. What is at a
    URL is kept in `cache` (default: egonorm/weights in the user's cache folder). `sha256` is the file's checksum, in 64
    hexadecimal digits; without it the content is not checked. Accepted are a bare state dict, one under "state_dict" or
    at the head of a tuple, names with something before them (`module.`, `model.backbone.`; what does not begin so is then left
    out), files with their classifier or without, batch norms without num_batches_tracked or stored as (1, C), and an RGB
    stem for an encoder with another number of channels (see
    `_fit_stem`).
    """
    wanted, source = encoder.state_dict(), str(source)
    stem = next((name for name, value in wanted.items() if value.ndim >= 4), None)
    network, shown = type(encoder).__name__, shown_address(source)
    path = locate(source, sha256, cache)
    stored = _read(path, shown)
    prefix = _find_prefix(stored, wanted, network, shown)
    named = _renamed(stored, prefix, wanted)
    _check_values(named, wanted, shown)
    fitted = {name: _fit(value, wanted.get(name), name == stem) for name, value in named.items()}
    _check_fit(fitted, wanted, network, f"{shown}, kept as {path}," if is_url(source) else shown, prefix)
    encoder.load_state_dict(fitted, strict=False)  # not strict: num_batches_tracked may be missing, nothing else


def _check_values(stored: State, wanted: State, source: str) -> None:
    """Refuse what is not a number for each of a network's numbers."""
    faults = {name: fault for name, x in stored.items() if name in wanted and (fault := _fault(x, wanted[name]))}
    if faults:
        raise WeightsError(
            f"the weights in {source}",
            got=some([f"{name}: {fault}" for name, fault in faults.items()], _SHOWN),
            expected="dense tensors of finite floating-point numbers",
            remedy="take the file that its authors published, or save the weights again as float32",
        )


def _fault(x: Tensor, wanted: Tensor) -> str:
    """What is wrong with a tensor in place of another; empty if nothing."""
    if x.is_meta or x.layout != torch.strided or x.is_quantized:
        return "no values (meta)" if x.is_meta else "sparse or quantised"
    if not wanted.is_floating_point():
        return ""
    if not x.is_floating_point():
        return f"{x.dtype}".removeprefix("torch.")
    return "" if x.to(wanted.dtype).isfinite().all() else "NaN or infinity"


def _find_prefix(stored: State, wanted: State, network: str, source: str) -> str:
    """What stands before the names of the network's tensors: after it are all of them, or else the most.

    Raises:
        WeightsError: for a file with several such networks, as those with an average of the weights are.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for name in stored:
        parts = name.split(".")
        for k in range(len(parts)):
            if (rest := ".".join(parts[k:])) in wanted:
                found[name.removesuffix(rest)].add(rest)
    needed = {name for name in wanted if not _may_be_missing(name)}
    whole = sorted(prefix for prefix, names in found.items() if needed <= names)
    if len(whole) > 1 and "" not in whole:
        raise WeightsError(
            f"the weights in {source}",
            got=f"several networks, whose names begin with {', '.join(whole)}",
            expected=f"the keys of one {network}",
            remedy="save the state dict of one of them alone",
        )
    return min(found, key=lambda prefix: (prefix not in whole, -len(found[prefix]), prefix), default="")


def _renamed(stored: State, prefix: str, wanted: State) -> State:
    """The tensors whose names begin with the prefix, by the rest of those; without the classifier."""
    names = {name: name.removeprefix(prefix) for name in stored if name.startswith(prefix)}
    return {new: stored[old] for old, new in names.items() if new in wanted or new.split(".")[0] not in _HEADS}


def _may_be_missing(name: str) -> bool:
    return name.endswith("num_batches_tracked")


def _fit(value: Tensor, wanted: Tensor | None, is_stem: bool) -> Tensor:
    """Fit the stem, and make (1, C), as the older yjxiong files store batch norm vectors, (C); the rest stays."""
    if wanted is None or value.shape == wanted.shape:
        return value
    if wanted.ndim <= 1 and value.shape == (1, *wanted.shape):
        return value.squeeze(0)
    return _fit_stem(value, wanted.shape) if is_stem else value


def _fit_stem(kernel: Tensor, shape: torch.Size) -> Tensor:
    """A kernel for three input channels becomes one for another number: their mean, repeated.

    For one channel this is Temporal Binding Network's audio stem (Kazakos et al., ICCV 2019, `models.py`). For more
    (two for flow) it is our own choice, after the cross-modality initialisation of Temporal Segment Networks (Wang et
    al., ECCV 2016); nothing is rescaled.
    """
    if kernel.ndim != len(shape) or kernel.shape[1] != _RGB_CHANNELS:
        return kernel
    return kernel.mean(dim=1, keepdim=True).repeat_interleave(shape[1], dim=1)


def _check_fit(fitted: State, wanted: State, network: str, source: str, prefix: str) -> None:
    missing = [name for name in wanted if name not in fitted and not _may_be_missing(name)]
    unexpected = [name for name in fitted if name not in wanted]
    differing = [name for name in wanted if name in fitted and wanted[name].shape != fitted[name].shape]
    if not (missing or unexpected or differing):
        return
    matched = len(fitted) - len(unexpected) - len(differing)
    shapes = [f"{name} {tuple(fitted[name].shape)} for {tuple(wanted[name].shape)}" for name in differing]
    faults = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
    after = f" after {prefix}" if prefix else ""
    raise WeightsError(
        f"the weights in {source}",
        got="; ".join(
            [f"{matched} keys that match{after}", *(_listed(kind, keys) for kind, keys in faults.items() if keys)]
        ),
        expected=f"the {len(wanted)} keys of {network}, in its shapes",
        remedy=f"take a file of {network}, or build the network with the file's width (1.0 if published) and channels",
    )


def _listed(kind: str, names: list[str]) -> str:
    return f"{len(names)} {kind} ({', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''})"


def _read(path: Path, source: str) -> State:
    """The state dict in a file. `weights_only` refuses what is not a tensor or a plain container, and runs nothing.

    What was downloaded and is none is not kept.
    """
    try:
        content = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # whatever a damaged or a hostile file provokes
        reason = _REASON.search(str(error)) or _FIRST_LINE.search(str(error))
        raise _unreadable(path, source, f"{type(error).__name__}: {reason.group() if reason else error}") from error
    content = content[0] if isinstance(content, tuple) and content else content
    state = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(state, dict) or not all(isinstance(x, Tensor) and isinstance(k, str) for k, x in state.items()):
        raise _unreadable(path, source, f"a {type(state).__name__} of other things than named tensors")
    return dict(state)


def _unreadable(path: Path, source: str, got: str) -> WeightsError:
    expected = "a state dict of tensors and nothing else, from torch.save or as .safetensors; no code is ever run"
    remedy = "check that the file is complete and the one you mean; if you trust it, save its state dict alone"
    if is_url(source):
        path.unlink(missing_ok=True)
        remedy = f"check the address: what came from there was not kept. Or {remedy}, and give its path"
    return WeightsError(f"the weights in {source}", got=got, expected=expected, remedy=remedy)


def is_url(source: str) -> bool:
    """Whether a source is fetched from the network."""
    return source.startswith(("http://", "https://"))


def locate(source: str, sha256: str | None = None, cache: Path | None = None) -> Path:
    """The file of a path or URL, checked; what is at a URL is kept in `cache`. WeightsError if it cannot be had."""
    if "://" in source:
        check_address(source)
        return _download(source, sha256, cache or weights_folder())
    path = Path(source).expanduser()
    if "\0" in source or not path.is_file():
        raise WeightsError("weights", got=path, expected="a file that exists, or a URL", remedy="correct the path")
    _check_sum(path, sha256, source)
    return path


def check_address(url: str) -> None:
    """Refuse what no file can be fetched from, before it is stored anywhere. WeightsError, which repeats no password."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    faults = {
        "spaces or control characters": re.search(r"\s", url) or not url.isprintable(),
        "a user name or a password in it": "@" in parts.netloc,
        f"the scheme {parts.scheme}": parts.scheme not in ("http", "https", ""),
        "no host, or one that cannot be read": not host,
    }
    if found := [fault for fault, is_there in faults.items() if is_there]:
        raise WeightsError(
            f"the address {shown_address(url)}",
            got=found[0],
            expected="http://HOST/PATH or https://HOST/PATH",
            remedy="correct it, or download the file by other means and give its path",
        )


def shown_address(url: str) -> str:
    """An address as it may be repeated: without user name, password and query, where keys are written. A path stays as it is."""
    if "://" not in url:
        return url
    scheme, _, rest = url.partition("://")
    place, query, _ = rest.rpartition("@")[2].partition("?")
    return f"{scheme}://{'…@' if '@' in rest else ''}{place}{'?…' if query else ''}"


def weights_folder() -> Path:
    """Where weights are kept: egonorm/weights in the user's cache folder."""
    return cache_folder("weights")


def _download(url: str, sha256: str | None, cache: Path) -> Path:
    """The file in the cache with what is at the URL. It appears there complete and checked, or not at all."""
    address = hashlib.sha256(url.encode()).hexdigest()[:12]
    path = cache / f"{address}-{fitting(Path(urlsplit(url).path).name)}"
    if path.exists() and (sha256 is None or checksum(path) == sha256.lower()):
        return path
    with replacing(path) as file:
        _copy(url, file)
        file.flush()
        _check_sum(Path(file.name), sha256, shown_address(url))
    return path


def _copy(url: str, file: BinaryIO) -> None:
    try:
        with urlopen(url, timeout=60) as answer:
            shutil.copyfileobj(answer, file)
            length = answer.headers.get("Content-Length")
        if length is not None and file.tell() != int(length):
            raise HTTPException(f"only {file.tell()} of {length} bytes arrived")
    except (OSError, HTTPException, ValueError) as error:  # ValueError: a name that no host can have
        raise WeightsError(
            f"the download of {shown_address(url)}",
            got=f"{type(error).__name__}: {error}",
            expected="the file",
            remedy="check the address and the connection, or download the file elsewhere and give its path",
        ) from error


def _check_sum(path: Path, sha256: str | None, source: str) -> None:
    if sha256 is not None and (actual := checksum(path)) != sha256.lower():
        raise WeightsError(
            f"the content of {source}",
            got=f"sha256 {actual}",
            expected=f"sha256 {sha256.lower()}",
            remedy="get the file again (a download is not kept), or correct the checksum if this is the file you mean",
        )
