"""The public peers: checkouts that are given on the command line; one that is absent is skipped by name."""

import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from types import ModuleType

from benchmarks.record import Skip


@dataclass(frozen=True)
class Peers:
    """The checkouts."""

    i3d: Path | None = None
    """piergiaj/pytorch-i3d."""
    bn_inception: Path | None = None
    """Cadene/pretrained-models.pytorch."""
    tbn: Path | None = None
    """ekazakos/temporal-binding-network."""
    simmmdg: Path | None = None
    """donghao51/SimMMDG."""

    def of(self, name: str) -> Path:
        """A checkout. Skip when it was not given."""
        path = getattr(self, name)
        if path is None:
            raise Skip(f"no checkout of the peer was given (--peer-{name.replace('_', '-')})")
        if not path.is_dir():
            raise Skip(f"--peer-{name.replace('_', '-')}: {path} is no folder")
        return path

    def commits(self) -> dict[str, str]:
        """Which commit of each was given."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _commit(path) for name, path in given.items() if path is not None}


def load_file(path: Path) -> ModuleType:
    """A single module of a checkout that imports nothing else of it. Nothing is written beside it."""
    spec = importlib.util.spec_from_file_location(f"peer_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise Skip(f"the checkout has no {path.name}")
    module = importlib.util.module_from_spec(spec)
    with _nothing_written():
        spec.loader.exec_module(module)
    return module


def load_modules(folder: Path, *names: str) -> list[ModuleType]:
    """Modules of a checkout that import each other. Skip, with the reason, when what they need is not installed."""
    with _nothing_written(), _torchvision():
        sys.path.insert(0, str(folder))
        try:
            return [importlib.import_module(name) for name in names]
        except ImportError as error:
            raise Skip(f"its code cannot be imported here: {error}") from None
        finally:
            sys.path.remove(str(folder))


class Compose:
    """Transforms in a row: all that the loaders use of torchvision, which is not installed for it."""

    def __init__(self, transforms: list):
        self.transforms = transforms

    def __call__(self, x):
        """Apply them."""
        for transform in self.transforms:
            x = transform(x)
        return x


@contextmanager
def _torchvision() -> Iterator[None]:
    """While the modules are imported, a stand-in with `transforms.Compose` in torchvision's place where there is none."""
    if importlib.util.find_spec("torchvision") is not None:
        yield
        return
    package, transforms = ModuleType("torchvision"), ModuleType("torchvision.transforms")
    package.transforms, transforms.Compose = transforms, Compose
    sys.modules |= {"torchvision": package, "torchvision.transforms": transforms}
    try:
        yield
    finally:
        del sys.modules["torchvision"], sys.modules["torchvision.transforms"]


@contextmanager
def _nothing_written() -> Iterator[None]:
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _commit(path: Path) -> str:
    command = ["git", "-C", str(path), "log", "-1", "--format=%h of %cs"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if (path / ".git").exists() and done.returncode == 0 else "commit unknown"
