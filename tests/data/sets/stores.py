"""Stores of features that tests make themselves: clips of two places, and vectors that say whose they are."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from egonorm.data.manifest import Clip, Manifest
from egonorm.data.sets.features.store import Description, Modality, write_description, write_features
from egonorm.data.windows import Span, even_windows

SPAN = Span(4, 2, 30.0)
CLASSES = ("cut", "mix")


def clips_of(domains: Sequence[str] = ("D1", "D2"), per_split: int = 8) -> tuple[Clip, ...]:
    """Clips that lie close behind each other in one video a domain and split."""
    return tuple(
        Clip(f"{domain}-{split}-{k}", f"{domain} {split}.mp4", k / 3 + 0.1, k / 3 + 1.1, CLASSES[k % 2], domain, split)
        for domain in domains
        for split in ("train", "test")
        for k in range(per_split)
    )


def write_store(
    root: Path, modalities: Sequence[str] = ("rgb", "audio"), num_windows: int = 3, size: int = 12
) -> tuple[Manifest, dict[str, torch.Tensor]]:
    """A store whose features tell the class by their first numbers, the clip and the window by the last two, in 64ths."""
    manifest = Manifest(clips_of(), CLASSES)
    windows = [even_windows(clip.start, clip.stop, SPAN, num_windows) for clip in manifest.clips]
    start = torch.tensor([[window.start for window in several] for several in windows], dtype=torch.float64)
    found = {}
    for number, modality in enumerate(modalities):
        found[modality] = features_of(manifest, num_windows, size + number, seed=number)
        write_features(root, modality, found[modality], start)
    about = {modality: Modality(size + number, "i3d", "a test") for number, modality in enumerate(modalities)}
    write_description(
        root, Description(about, SPAN, num_windows, CLASSES, manifest.digest(), "folder:/clips"), manifest
    )
    return manifest, found


def features_of(manifest: Manifest, num_windows: int, size: int, seed: int) -> torch.Tensor:
    """By `clip window feature`."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(len(manifest), num_windows, size)).astype(np.float32)
    x[:, :, :4] += np.array([2.0 * manifest.label_of(clip) for clip in manifest.clips])[:, None, None]
    x[:, :, -2] = np.arange(len(manifest))[:, None] / 64
    x[:, :, -1] = np.arange(num_windows) / 64
    return torch.from_numpy(x)
