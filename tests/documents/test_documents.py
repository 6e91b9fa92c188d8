"""Every command and code block of the documents is run on small data or, where a mark says why not, parsed."""

import ast
import json
import re

import mktestdocs
import pytest
from blocks import DOCUMENTS, PROGRAM, ROOT, blocks, inline, table
from parsing import options, parse
from running import LYING, run

from egonorm.data import read_manifest

BLOCKS = [block for document in DOCUMENTS for block in blocks(document)]
UNWRITTEN = "src/egonorm/methods/yours.py"
"""The file that a reader is to write."""


def documents_with(language):
    """Those that have a block of it of which something is run; slow where something is made for them."""
    found = sorted({block.document for block in BLOCKS if block.language == language and block.is_run})
    return [pytest.param(name, marks=[pytest.mark.slow] * ((name, language) in LYING)) for name in found]


def test_what_is_done_with_every_block():
    print(table())
    assert not [fault for block in BLOCKS for fault in block.faults()]


def test_what_is_run_elsewhere_is_run_there():
    for block in BLOCKS:
        _, elsewhere, document = (block.reason or "").partition("is run in ")
        if elsewhere:
            there = {command for other in blocks(document) for command, is_run in other.commands() if is_run}
            assert {command for command, _ in block.commands()} <= there, block


@pytest.mark.slow
@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language in ("sh", "python")], ids=str)
def test_code_parses(block):
    if block.language == "python":
        ast.parse(block.text)
    else:
        for command, _ in block.commands():
            parse(command)


@pytest.mark.slow
@pytest.mark.parametrize("document", DOCUMENTS)
def test_sentences_name_commands_and_options_that_there_are(document):
    for line, code in inline(document):
        if PROGRAM.match(code):
            parse(code, whole=False)
        elif code.startswith("--"):
            assert code.split()[0] in options(), f"{document}, line {line}: {code}"


@pytest.mark.timeout(900)  # a document is many commands, and the first one also renders kitchens
@pytest.mark.parametrize("document", documents_with("sh"))
def test_commands_run(document, lay):
    """All blocks of a document are run in one folder, from top to bottom."""
    lay(document, "sh")
    for block in (block for block in blocks(document) if block.language == "sh"):
        for command in (command for command, is_run in block.commands() if is_run):
            print(f"{block}: {command}")
            run(command)


@pytest.mark.parametrize("document", documents_with("python"))
def test_python_runs(document, lay):
    """All blocks of a document are one session, from top to bottom."""
    parts = [block.text for block in blocks(document) if block.language == "python" and block.is_run]
    path = lay(document, "python") / "its_python.md"
    path.write_text("".join(f"```python\n{part}```\n" for part in parts))
    mktestdocs.check_md_file(path, memory=True)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language in ("csv", "json")], ids=str)
def test_tables_can_be_read(block, tmp_path):
    if block.language == "json":
        json.loads(block.text)
    else:
        (tmp_path / "manifest.csv").write_text(block.text)
        assert len(read_manifest(tmp_path / "manifest.csv")) == block.text.count("\n") - 1


@pytest.mark.parametrize("document", (*DOCUMENTS, "DECISIONS.md"))
def test_files_that_are_named_are_there(document):
    """Those of this repository, by their path; the package's may be named from it on."""
    named = [
        code for _, code in inline(document) if re.fullmatch(r"[\w/]+/\w+\.py|(tests|examples|benchmarks)/[\w/]*", code)
    ]
    lost = [name for name in named if not (ROOT / name).exists() and not (ROOT / "src/egonorm" / name).exists()]
    assert set(lost) <= {UNWRITTEN}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_between_documents_lead_somewhere(document):
    for goal in re.findall(r"\]\((?!http)([^)]+)\)", (ROOT / document).read_text()):
        path, _, heading = goal.partition("#")
        there = (ROOT / document).parent / path if path else ROOT / document
        assert there.exists(), goal
        titles = re.findall(r"^#+ (.*)$", there.read_text(), re.MULTILINE) if heading else [""]
        assert heading in {re.sub(r"[^\w-]", "", title.lower().replace(" ", "-")) for title in titles}, goal


SOUND = """
<!-- not run here: needs downloaded weights (lines 2) -->
```sh
egonorm weights list  # which there are
egonorm weights get lite0 && egonorm weights get \\
  aisfx
```
"""


def test_marks_are_read():
    (block,) = blocks("a document", SOUND)
    assert block.line == 3 and not block.faults()
    wanted = [
        ("egonorm weights list", True),
        ("egonorm weights get lite0", False),
        ("egonorm weights get aisfx", False),
    ]
    assert [(" ".join(command.split()), is_run) for command, is_run in block.commands()] == wanted


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("```sh", "```yaml", "the language 'yaml', which no test knows. Write one of sh, python, csv, json, text"),
        ("```sh", "```", "the language '', which no test knows"),
        (
            "needs downloaded weights",
            "needs patience",
            "for the reason 'needs patience'; there are: needs EPIC-Kitchens",
        ),
        ("lines 2", "lines 3", "has no lines (3,)"),
    ],
)
def test_faults_of_blocks_are_told(right, wrong, told):
    assert right in SOUND
    (block,) = blocks("a document", SOUND.replace(right, wrong))
    assert told in " ".join(block.faults()) and "a document, line 3" in block.faults()[0]


def test_commands_that_are_indented_only_are_no_way_round():
    (block,) = blocks("a document", "So:\n\n    egonorm weights list\n\nOr:\n\n    V = x + y\n")
    assert "the language ''" in block.faults()[0]


@pytest.mark.parametrize("wrong", [SOUND.replace("```sh", "text\n```sh"), SOUND.replace("run here:", "run here")])
def test_a_mark_of_no_block_is_told(wrong):
    with pytest.raises(ValueError, match="is not directly before a block, or cannot be read"):
        blocks("a document", wrong)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("egonorm tabel RUNS", "Available subcommands|Expected one of|invalid"),
        ("egonorm table RUNS --fromat csv", "--fromat"),
        ("egonorm table RUNS --format {text,word}", "word"),
        ("egonorm bench paper.table9 …", "paper.table9"),
        ("egonorm train METHOD --wieght 1", "--wieght"),
        ("torchrun --nproc-per-node 8 -m egonorm train --sped 1 …", "--sped"),
        ("make everything", "No rule to make target"),
        ('make bench PEERS="--peer-slowfast PATH ..."', "--peer-slowfast"),
        ("python -m benchmarks.gpu --small", "--small"),
        ("python examples/lost.py", "There is no file examples/lost.py"),
        ("pip install 'egonorm[jax]'", "There are the extras ray"),
        ("slurm run", "No test knows 'slurm'"),
    ],
)
def test_wrong_commands_are_told(command, told):
    with pytest.raises(ValueError, match=told):
        parse(command, whole=False)


@pytest.mark.parametrize(
    ("command", "told"),
    [("egonorm table RUNS", "RUNS holds no runs"), ("make demo", "No test runs make")],
)
def test_commands_that_do_not_run_are_told(command, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=told):
        run(command)
