"""Commands from start to end: the help, the import, and, with `--long`, the demo and the paper's table on features."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.case import Bench, case
from benchmarks.ours import LABELS
from benchmarks.processes import call
from benchmarks.record import MINUTES, SECONDS, Record, Skip, Spread, at_most
from benchmarks.timing import alternate_commands

HEAVY = ("torch.distributed", "matplotlib", "av")
EGONORM = str(Path(sys.executable).with_name("egonorm"))


@case()
def start(bench: Bench) -> Iterator[Record]:
    """`egonorm --help` and `import egonorm`, and what the latter brings along."""
    bare = [sys.executable, "-c", "pass"]
    times = alternate_commands(
        {"egonorm --help": [EGONORM, "--help"], "import egonorm": [*bare[:2], "import egonorm"], "python": bare},
        bench.repeats,
    )
    detail = f"python alone {Spread.of(times['python']).middle:.2f} s"
    yield Record("help", "`egonorm --help`", Spread.of(times["egonorm --help"]), at_most(1), SECONDS, detail)
    yield Record("import", "`import egonorm`", Spread.of(times["import egonorm"]), None, SECONDS, detail)
    asked = f"import egonorm, sys, json; print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)
    brought = json.loads(done.stdout)
    yield Record(
        "import-heavy",
        f"how many of {', '.join(HEAVY)} `import egonorm` brings",
        Spread.of([len(brought)]),
        at_most(0),
        "modules",
        ", ".join(brought) or "none of them",
    )


@case(long=True)
def demo(bench: Bench) -> Iterator[Record]:
    """The whole demo, into a folder of its own."""
    with tempfile.TemporaryDirectory(dir=bench.work) as out:
        value = _minutes("demo", "--out", out)
    yield Record("demo", "`egonorm demo`", value, at_most(4), MINUTES)


@case(long=True)
def paper_on_features(bench: Bench) -> Iterator[Record]:
    """Every run of the paper, three seeds, on random features of three domains of 160 clips."""
    features = bench.work / "features"
    write_features(features)
    with tempfile.TemporaryDirectory(dir=bench.work) as out:
        value = _minutes("bench", "paper.all", "--data", f"features:{features}", "--out", out)
    yield Record("paper-on-features", "`egonorm bench paper.all` on features", value, at_most(10), MINUTES)


def write_features(folder: Path, clips: int = 160, windows: int = 5, size: int = 1024) -> None:
    """Clips of eight classes in three domains, a quarter of them for testing; a class is a direction with noise around it."""
    folder.mkdir(exist_ok=True)
    random, number = np.random.default_rng(0), 3 * clips
    labels = np.arange(number) % len(LABELS)
    rows = [
        f"c{k},{LABELS[labels[k]]},D{k // clips + 1},{'test' if k // 8 % 4 == 3 else 'train'}" for k in range(number)
    ]
    (folder / "manifest.csv").write_text("\n".join(["uid,label,domain,split", *rows]) + "\n")
    for modality in ("rgb", "audio"):
        means = random.normal(size=(len(LABELS), 1, size))
        found = means[labels] + 2 * random.normal(size=(number, windows, size))
        np.save(folder / f"{modality}.npy", found.astype(np.float32))


def _minutes(*words: str) -> Spread:
    """How long a command takes, run once. Skip when it fails."""
    start = time.perf_counter()
    code, said = call("egonorm", *words)
    if code:
        raise Skip(f"egonorm {' '.join(words)} failed: {said.strip().splitlines()[-1] if said else code}")
    return Spread.of([(time.perf_counter() - start) / 60])
