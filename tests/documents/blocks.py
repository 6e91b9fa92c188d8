"""The fenced blocks and inline commands of the documents; `python tests/documents/blocks.py` says which are run.

A block is run unless a comment before it says why not: `<!-- not run here: needs EPIC-Kitchens -->`, or, of some of its lines
alone, `<!-- not run here: needs downloaded weights (lines 1, 3) -->`. What is not run is parsed.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
DOCUMENTS = (
    *("README.md", "CONTRIBUTING.md", "REPRODUCTION.md"),
    *sorted(str(path.relative_to(ROOT)) for folder in ("docs", "benchmarks") for path in (ROOT / folder).glob("*.md")),
)
LANGUAGES = {"sh": "run", "python": "run", "csv": "read as a manifest", "json": "read", "text": "left as it is"}
"""What is done with a block of each language."""
REASONS = ("needs EPIC-Kitchens", "needs downloaded weights", "needs a GPU", "takes minutes", "is run in ")
"""Why a block may not be run. The last goes on with the document that has the same commands."""
MARK = re.compile(r"<!-- not run here: (?P<reason>.+?)(?: \(lines? (?P<lines>[\d, ]+)\))? -->")
PROGRAM = re.compile(r"(egonorm|torchrun|make|pip|(\S*/)?python)\s")
"""How a command begins."""
OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
CHOICE = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    document: str
    line: int
    language: str
    text: str
    reason: str | None = None
    """Why some of it is not run."""
    marked: tuple[int, ...] = ()
    """The numbers of the commands that are not; all, if there is a reason and no number."""

    def __str__(self) -> str:
        return f"{self.document}, line {self.line}"

    @property
    def is_run(self) -> bool:
        """Whether anything of it is run."""
        return self.reason is None or bool(self.marked)

    def commands(self) -> list[tuple[str, bool]]:
        """The commands of a shell block, in their order, and whether each is run."""
        return [
            (command.strip(), self.is_run and number not in self.marked)
            for number, line in enumerate(lines(self.text), start=1)
            for command in line.split("&&")
        ]

    def faults(self) -> list[str]:
        """What the tests cannot make sense of."""
        found = []
        if self.language not in LANGUAGES:
            found.append(
                f"{self} begins a block of the language {self.language!r}, which no test knows. Write one of "
                f"{', '.join(LANGUAGES)} behind the three backticks, or teach tests/documents what to do with it."
            )
        if self.reason and not self.reason.startswith(REASONS):
            found.append(f"{self} is not run for the reason {self.reason!r}; there are: {'; '.join(REASONS)}.")
        if self.marked and (self.language != "sh" or max(self.marked) > len(lines(self.text))):
            found.append(f"{self} has no lines {self.marked}.")
        return found


def lines(text: str) -> list[str]:
    """The lines of a shell block that hold commands; one that goes on after a backslash is one."""
    found = (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.replace("\\\n", " ").splitlines())
    return [line for line in found if line]


def blocks(document: str, text: str | None = None) -> list[Block]:
    """The fenced blocks of a document, and indented ones of commands. ValueError for a mark that stands before none."""
    comment, found = "", []
    for token in MarkdownIt("commonmark").parse((ROOT / document).read_text() if text is None else text):
        mark = MARK.fullmatch(comment)
        if "not run here" in comment and not (mark and token.type == "fence"):
            raise ValueError(f"{document}: {comment} is not directly before a block, or cannot be read.")
        if token.type == "fence" or (token.type == "code_block" and PROGRAM.match(token.content)):
            numbers = tuple(int(x) for x in (mark["lines"] or "").split(",") if x) if mark else ()
            about = (token.map[0] + 1, token.info.strip(), token.content, mark and mark["reason"], numbers)
            found.append(Block(document, *about))
        comment = token.content.strip() if token.type == "html_block" else ""
    return found


def inline(document: str) -> Iterator[tuple[int, str]]:
    """What stands in single backticks, each with its line (of a paragraph the first)."""
    line = 0
    for token in MarkdownIt("commonmark").enable("table").parse((ROOT / document).read_text()):
        line = token.map[0] + 1 if token.map else line
        yield from ((line, child.content) for child in token.children or () if child.type == "code_inline")


def variants(command: str) -> list[list[str]]:
    """The words of every command that a synopsis stands for: `[x]` is given, and of `{a,b}` each once.

    `…` is dropped, but where an option has it for a value.
    """
    while OPTIONAL.search(command):
        command = OPTIONAL.sub(r"\1", command)
    parts = CHOICE.split(command)
    choices = [part.split(",") if number % 2 else [part] for number, part in enumerate(parts)]
    found = [shlex.split("".join(chosen)) for chosen in product(*choices)]
    return [
        [word for before, word in pairwise(["", *words]) if word not in ("…", "...") or before.startswith("--")]
        for words in found
    ]


def table() -> str:
    """A line a block: what is done with it."""
    rows = []
    for block in (block for document in DOCUMENTS for block in blocks(document)):
        fate = LANGUAGES.get(block.language, "unknown")
        if block.language == "sh":
            number, run = len(block.commands()), sum(run for _, run in block.commands())
            fate = f"{run} of {number} commands run" + f", {number - run} parsed: {block.reason}" * (run < number)
        elif block.reason:
            fate = f"parsed: {block.reason}"
        rows.append(f"{block!s:<32} {block.language:<7} {fate}")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
