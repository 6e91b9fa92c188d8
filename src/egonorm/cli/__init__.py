"""Floor 6, the command line: a thin edge that turns words into the objects of the library, and errors into four lines."""

import os
import sys
from typing import Annotated

import tyro

from egonorm.cli.bench import Bench
from egonorm.cli.data import Check, Kitchens
from egonorm.cli.extract import Extract
from egonorm.cli.runs import Demo, Tabulate, Test, Train
from egonorm.cli.weights import Get, List
from egonorm.core import EgonormError

COMMANDS = {
    "data": {"kitchens": Kitchens, "check": Check},
    "extract": Extract,
    "train": Train,
    "test": Test,
    "bench": Bench,
    "table": Tabulate,
    "weights": {"get": Get, "list": List},
    "demo": Demo,
}
_GROUPS = {"data": "Render or examine data.", "weights": "Fetch or list published weights."}
_STYLE = (tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes, tyro.conf.FlagCreatePairsOff)
_ABOUT = "First-person action recognition from video and sound, in places the model has never seen."


def main(arguments: list[str] | None = None) -> None:
    """Run a command; exit with 1 and what was got, expected and can be done on an error that the user can mend."""
    command = tyro.cli(_union(COMMANDS), args=arguments, prog="egonorm", description=_ABOUT, config=_STYLE)
    try:
        command()
    except EgonormError as error:
        rank = int(os.environ.get("RANK", 0))  # of torchrun's processes the first tells all, the others what is theirs
        sys.exit(f"error: {error}" if rank == 0 else f"error in process {rank}: {error.what.splitlines()[0]}")
    except BrokenPipeError:  # whoever read the output, `head` for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit("Stopped. What was finished stands; the same command goes on from there.")


def _union(commands: dict):
    """A choice among commands; a nested dictionary is a group of them."""
    union = None
    for name, command in commands.items():
        target = _union(command) if isinstance(command, dict) else command
        choice = Annotated[target, tyro.conf.subcommand(name, description=_GROUPS.get(name))]
        union = choice if union is None else union | choice
    return union
