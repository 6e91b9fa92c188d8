"""A small store of features of three kitchens, on which a run takes a second."""

from pathlib import Path

import pytest
import torch

from egonorm.data.manifest import Clip, Manifest
from egonorm.data.sampling import Span, even_windows
from egonorm.data.sets.features.store import Description, Modality, write_description, write_features

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
