"""First-person action recognition from video and sound, in places the model has never seen: what `import egonorm` offers.

A name is imported when it is asked for: `import egonorm` alone takes milliseconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "ClipDataset",
    "Data",
    "Model",
    "build_net",
    "collate",
    "evaluate",
    "load",
    "losses",
    "methods",
    "metrics",
    "open_data",
    "table",
    "train",
]
_FOLDERS = ("losses", "methods", "metrics")

if TYPE_CHECKING:
    from egonorm import losses, methods, metrics
    from egonorm.api import ClipDataset, Data, Model, build_net, collate, evaluate, load, open_data, table, train


def __getattr__(name: str) -> object:
    if name in _FOLDERS:
        return import_module(f"egonorm.{name}")
    if name in __all__:
        return getattr(import_module("egonorm.api"), name)
    raise AttributeError(f"module 'egonorm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
