"""How a command of a document is run: in this process, on small data that lie where the document names its reader's own."""

import shlex

from blocks import variants

from egonorm import cli

LYING = {
    ("README.md", "sh"): {"KITCHENS": "kitchens", "FEATURES": "small_features", "CLIPS": "own_clips"},
    ("CONTRIBUTING.md", "sh"): {"FEATURES": "feature_store"},
    ("docs/data.md", "sh"): {"K": "kitchens", "CLIPS": "own_clips"},
    ("docs/features.md", "sh"): {"RUN": "rna_run", "CLIPS": "own_clips"},
    ("docs/python.md", "python"): {"clips": "own_clips", "runs": "small_runs", "features": "small_features"},
    ("docs/report.md", "sh"): {"RUNS": "small_runs", "RUN": "rna_run"},
    ("docs/report.md", "python"): {"demo/runs": "small_runs"},
    ("docs/runs.md", "sh"): {"K": "kitchens", "RUN": "rna_run"},
    ("docs/sweeps.md", "sh"): {"STORE": "small_features"},
}
"""What a document's blocks of a language find in the folder that they are run in: names, and the fixtures that make it."""
WORDS = {
    "KIND:PATH": "kitchens:K",
    "FAMILY:SOURCES:TARGET": "dg1:D1:D2",
    "METHOD": "rna",
    "S": "0",
    "D": "D3",
    "UID": "D2_test_00_0",
}
"""What is written in the place of what stands for something."""
TRAINING = "--steps 2 --batch 4 --width 0.0625 --device cpu"
CHEAPER = {
    "train": f"{TRAINING} --workers 0",
    "test": "--workers 0 --device cpu",
    "extract": "--workers 0 --device cpu --windows 2",
    "bench": f"{TRAINING} --seeds 0 --methods source-only,rna --setting dg1:D1:D2 --jobs 1",
    "data kitchens": "--clips 24 --kitchens 3 --seed 1 --size 72 96",
    "data pack": "--workers 1",
    "report": "--clips 0",
}
"""What is added to commands that would take minutes as they stand: two steps of four clips by narrow networks, where a document
trains; one seed, two methods and a shift of a suite; the kitchens that the tests have rendered; two windows of each clip; a page
without clips, since `egonorm cam` saves one; and no processes beside this one, but for one that does a suite's runs."""


def run(command: str) -> None:
    """Run a command line of `egonorm`; of a synopsis the first choice. ValueError: what it ended with."""
    words = [WORDS.get(word, word) for word in variants(command)[0]]
    if words[0] != "egonorm":
        raise ValueError(f"{command}\nNo test runs {words[0]}: mark the block, or teach tests/documents/running.py.")
    try:
        cli.main(_cheaper(words[1:]))
    except SystemExit as end:
        if end.code:  # 0 where it asks for help
            added = shlex.join(_cheaper(words[1:]))
            raise ValueError(f"{command}\nwith what the tests add to it: {added}\n{end}") from None


def _cheaper(words: list[str]) -> list[str]:
    """The words and what is added: behind them, where it takes the place of theirs; for `train` before its method's."""
    verb = next((verb for verb in CHEAPER if words[: len(verb.split())] == verb.split()), None)
    more = CHEAPER[verb].split() if verb else []
    return [*words[:1], *more, *words[1:]] if verb == "train" else words + more
