"""Print the constraints to install with: a torch that is here and not older than the pinned one stays, whatever its build."""

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def release(text: str) -> list[int]:
    """The numbers of a version, without what names its build: 2.13.0+cpu is [2, 13, 0]."""
    return [int(number) for number in re.match(r"\d+(\.\d+)*", text)[0].split(".")]


def pins(pinned: str) -> str:
    """The constraints that are `pinned`, one line `torch==VERSION`, or those that keep what is installed."""
    try:
        found = version("torch")
    except PackageNotFoundError:
        return pinned
    return f"torch=={found}\n" if release(found) >= release(pinned.partition("==")[2]) else pinned


if __name__ == "__main__":
    print(pins((Path(__file__).parents[1] / "constraints.txt").read_text()), end="")
