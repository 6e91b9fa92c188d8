"""Floor 7, the command line: a thin edge that turns words into the objects of the library, and errors into four lines."""

import ast
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Annotated, Any

import tyro

COMMANDS = {
    "data": {"kitchens": "data:RenderKitchens", "check": "data:Check", "pack": "pack:Pack"},
    "extract": "extract:Extract",
    "train": "train:Train",
    "test": "train:Test",
    "bench": "bench:Bench",
    "table": "table:Tabulate",
    "report": "report:Report",
    "cam": "report:Cam",
    "weights": {"get": "weights:Get", "list": "weights:List"},
    "demo": "demo:Demo",
}
"""Each command, or group of them, and where it is written in this folder: only the one that is called is imported."""
_GROUPS = {"data": "Render, examine or pack data.", "weights": "Fetch or list published weights."}
_STYLE = (tyro.conf.OmitSubcommandPrefixes, tyro.conf.FlagCreatePairsOff)
_ABOUT = "First-person action recognition from video and sound, in places the model has never seen."


def main(arguments: list[str] | None = None) -> None:
    """Run a command; exit with 1 and what was got, expected and can be done on an error that the user can mend."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        parse_command(words)()
    except SystemExit:  # the help of all commands, which does without the errors of `core` and so without torch
        raise
    except _user_errors() as error:
        rank = int(os.environ.get("RANK", 0))  # of torchrun's processes the first tells all, the others what is theirs
        sys.exit(f"error: {error}" if rank == 0 else f"error in process {rank}: {str(error).splitlines()[0]}")
    except BrokenPipeError:  # whoever read the output, `head` for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit("Stopped. What was finished stands; the same command goes on from there.")


def parse_command(words: list[str]):
    """The command that words call, not yet done; SystemExit 2 where they call none, 0 where they ask for help."""
    with _shown(words):
        return tyro.cli(_union(COMMANDS, words, []), args=words, prog="egonorm", description=_ABOUT, config=_STYLE)


@contextmanager
def _shown(words: list[str]) -> Iterator[None]:
    """What tyro repeats of words does not act on the terminal; words without such characters need no care."""
    if all(map(str.isprintable, words)):
        yield
        return
    from egonorm.core.text import say

    told = StringIO()
    try:
        with redirect_stderr(told):
            yield
    finally:
        if told.getvalue():
            say(told.getvalue(), sys.stderr)


def _user_errors() -> type[Exception]:
    from egonorm.core import EgonormError

    return EgonormError


def load_command(place: str) -> type:
    """The class of a command."""
    module, name = place.split(":")
    return getattr(import_module(f"{__name__}.{module}"), name)


@dataclass(frozen=True)
class _Uncalled:
    """In the place of a command that was not called."""


def _union(commands: dict, words: list[str], group: list[str]):
    """A choice among the commands of a group, as far as `words` need it; a nested dictionary is a group."""
    union: Any
    union, completes = None, words[:1] and words[0].startswith("--tyro-")  # a shell's completion knows every option
    for name, command in commands.items():
        target: Any
        path, target, about = [*group, name], _Uncalled, None
        if isinstance(command, dict):
            target, about = _union(command, words, path), _GROUPS[name]
        elif completes or words[: len(path)] == path:
            target = load_command(command)
            if not completes and hasattr(target, "for_words"):
                target = target.for_words(words[len(path) :])
        else:
            about = _read_docstring(command)
        choice = Annotated[target, tyro.conf.subcommand(name, description=about)]
        union = choice if union is None else union | choice
    return union


def _read_docstring(place: str) -> str:
    """What a command says of itself, without importing it, which may take seconds."""
    module, name = place.split(":")
    tree = ast.parse(Path(__file__).with_name(f"{module}.py").read_text())
    found = (ast.get_docstring(node) for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    return next(found) or ""
