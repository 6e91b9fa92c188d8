"""Temporal Binding Network's own dataset on our recording, with the transforms that its `train.py` gives it."""

import pickle
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.media import NAME, RATE, Recording
from benchmarks.ours import manifest
from benchmarks.peers import Compose, load_modules

MEAN, STD = [104, 117, 128], [1]
"""Of BN-Inception's input, in the peer's `models.py`."""


def loader(folder: Path, recording: Recording, keeps_sound: bool, samples: int) -> Callable[[], object]:
    """Reads `samples` samples of 16 frames in a row and a spectrogram; `keeps_sound`: all sound is in memory, its default."""
    dataset, transforms = load_modules(folder, "dataset", "transforms")
    sound = str(recording.folder)
    if keeps_sound:
        sound = str(_sound_in_a_pickle(dataset, recording))
    found = _repaired(dataset.TBNDataSet)(
        "epic-kitchens-55",
        _rows(),
        {"RGB": 16, "Spec": 1},
        ["RGB", "Spec"],
        {"RGB": "frame_{:010d}.jpg"},
        visual_path=str(recording.folder),
        audio_path=sound,
        resampling_rate=RATE,
        num_segments=1,
        transform=_transforms(transforms),
        use_audio_dict=keeps_sound,
    )
    order = random.Random(0)
    return lambda: [found[order.randrange(len(found))] for _ in range(samples)]


def _repaired(base: type) -> type:
    """The dataset, with two values from `get`: at the commit that was tried it gives three where it then takes two."""
    return type("Repaired", (base,), {"get": lambda self, *words: base.get(self, *words)[:2]})


def _transforms(given) -> dict[str, Compose]:
    """As `train.py` and `get_augmentation` write them down."""
    augment = Compose(
        [given.GroupMultiScaleCrop(224, [1, 0.875, 0.75, 0.66]), given.GroupRandomHorizontalFlip(is_flow=False)]
    )
    stacked = [given.Stack(roll=True), given.ToTorchFormatTensor(div=False)]
    return {"RGB": Compose([augment, *stacked, given.GroupNormalize(MEAN, STD)]), "Spec": Compose(stacked)}


def _rows() -> pd.DataFrame:
    clips = manifest(20 * 60).clips
    times = {"start_frame": [int(c.start * 60) for c in clips], "stop_frame": [int(c.stop * 60) for c in clips]}
    return pd.DataFrame({"video_id": NAME, **times, "verb_class": 0, "noun_class": 0})


def _sound_in_a_pickle(dataset, recording: Recording) -> Path:
    """What the peer's `wav_to_dict.py` makes: every recording's samples as floats, by name."""
    path = recording.root / "sound.pickle"
    if not path.exists():
        samples, _ = dataset.librosa.core.load(str(recording.folder / f"{NAME}.wav"), sr=None, mono=False)
        path.write_bytes(pickle.dumps({NAME: np.asarray(samples)}, protocol=pickle.HIGHEST_PROTOCOL))
    return path
