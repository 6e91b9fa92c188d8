"""What several tests need: small kitchens, rendered once, and a small run of them."""

import fcntl
import os
import shutil
from pathlib import Path

import pytest
import torch
from jaxtyping import install_import_hook

CHECKED = (
    "data.readers.audio",
    "data.readers.features",
    "data.readers.flow",
    "data.readers.image_sequence",
    "data.readers.wav",
    "data.transforms",
    "losses",
    "methods",
    "metrics",
    "nets.aisfx",
    "nets.efficientnet_lite0",
    "nets.net",
    "nets.projection",
    "signal",
    "training",
)
"""Where every call's types and shapes are checked: what handles tensors, but for what is called for each frame or layer."""

pytest.register_assert_rewrite("refusals")  # it says what differs
install_import_hook([f"egonorm.{name}" for name in CHECKED], "beartype.beartype")

# from here on what is imported is checked
import egonorm
from egonorm.data.manifest import Clip, Manifest
from egonorm.data.sets.features.store import Description, Modality, write_description, write_features
from egonorm.data.sets.synthetic import KitchensConfig, render_kitchens
from egonorm.data.windows import Span, even_windows
from egonorm.runs.config import Run
from small_runs import small_run

os.environ["OMP_NUM_THREADS"] = "1"  # for the programs that tests start: narrow networks gain nothing by more threads,
torch.set_num_threads(1)  # and threads that wait for each other lose much on a busy machine


def pytest_collection_modifyitems(items):
    """What needs rendered kitchens is slow.

    Files with slow tests begin, the last of them (training's, the wheel's), which take longest, first: so processes that share
    the files end together.
    """
    for item in items:
        if "kitchens" in item.fixturenames:
            item.add_marker(pytest.mark.slow)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    place = {path: number for number, path in enumerate(dict.fromkeys(item.path for item in items))}
    items.sort(key=lambda item: (item.path not in slow, -place[item.path]))


@pytest.fixture(scope="session")
def kitchens(tmp_path_factory) -> Path:
    """Three small kitchens, with every class in train and test; rendered once for all processes that test, which only read."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (base / "kitchens.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        render_kitchens(base / "kitchens", KitchensConfig(clips=24, kitchens=3, seed=1, size=(72, 96)))
    return base / "kitchens"


@pytest.fixture
def run(kitchens) -> Run:
    """A run of a few steps on them, with narrow networks."""
    return small_run(kitchens)


@pytest.fixture
def without_training(tmp_path) -> dict[str, str]:
    """The environment of a program that finds the package without `train`."""
    shutil.copytree(Path(egonorm.__file__).parent, tmp_path / "egonorm", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(tmp_path / "egonorm" / "training")
    return os.environ | {"PYTHONPATH": str(tmp_path)}


CLASSES = ("cut", "pour", "wash")


@pytest.fixture(scope="session")
def feature_store(tmp_path_factory) -> Path:
    """Two modalities of 12 and 6 numbers, two windows a clip, 12 clips for training and 6 for testing a kitchen."""
    root = tmp_path_factory.mktemp("features") / "store"
    generator = torch.Generator().manual_seed(0)
    clips = tuple(
        Clip(f"{domain}-{split}-{k}", f"{domain}.mp4", 2.0 * k, 2.0 * k + 1.5, CLASSES[k % 3], domain, split)
        for domain in ("D1", "D2", "D3")
        for split, count in (("train", 12), ("test", 6))
        for k in range(count)
    )
    manifest, span = Manifest(clips, CLASSES), Span(8, 4, 30.0)
    starts = [[window.start for window in even_windows(clip.start, clip.stop, span, 2)] for clip in clips]
    labels = torch.tensor([CLASSES.index(clip.label) for clip in clips])
    sizes = {"rgb": 12, "audio": 6}
    for name, size in sizes.items():
        centres = torch.randn(3, size, generator=generator)
        features = centres[labels, None] + torch.randn(len(clips), 2, size, generator=generator)
        write_features(root, name, features, torch.tensor(starts, dtype=torch.float64))
    modalities = {name: Modality(size, "made up", "nothing") for name, size in sizes.items()}
    write_description(root, Description(modalities, span, 2, CLASSES, manifest.digest(), "a test"), manifest)
    return root


@pytest.fixture
def small(feature_store) -> tuple[str, ...]:
    """Options of a sweep that is done in seconds."""
    return (
        "--data",
        f"features:{feature_store}",
        "--preset",
        "features",
        "--steps",
        "6",
        "--batch",
        "6",
        "--width",
        "0.01",
    )
