"""What the numbers were measured on: processor, memory, versions, commits, and its limits."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from benchmarks.case import Bench
from benchmarks.limit import DTYPES, best_product, copy_rate, rate
from benchmarks.timing import threads

PACKAGES = (
    "egonorm",
    "numpy",
    "simplejpeg",
    "av",
    "librosa",
    "pillow",
    "opencv-python-headless",
    "mmcv",
    "torchvision",
)


def kind() -> str:
    """Of what kind the processor is: between kinds, even ratios differ."""
    instructions = [torch.backends.cpu.get_cpu_capability()]
    if torch.cpu.get_capabilities().get("amx_bf16"):
        instructions.append("AMX")
    if "bfloat16" in DTYPES:
        instructions.append("bfloat16" if [*DTYPES][-1] == "bfloat16" else "bfloat16 slower than float32")
    return ", ".join(instructions)


def describe(bench: Bench) -> dict[str, str]:
    """The machine in words, by heading."""
    found = {"machine": f"{os.cpu_count()} cores, {_processor()}, {_memory():.0f} GB of memory, {platform.system()}"}
    found["versions"] = f"Python {platform.python_version()}, torch {torch.__version__}, {', '.join(_versions())}"
    found["peers"] = ", ".join(f"{name} ({commit})" for name, commit in bench.peers.commits().items()) or "none given"
    return found | {"limits": limits(bench)}


def limits(bench: Bench) -> str:
    """The rates that nothing can pass."""
    with threads(bench.threads):
        products = {name: best_product(dtype) for name, dtype in DTYPES.items()}
        rates = [f"{rate(p, p.flops) / 1e9:.0f} GFLOP/s in {name}" for name, p in products.items()]
        return (
            f"matrix products {' and '.join(rates)} with {bench.threads} threads, copies {copy_rate() / 1e9:.1f} GB/s"
        )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _memory() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def _versions() -> list[str]:
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return versions
