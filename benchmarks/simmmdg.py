"""SimMMDG's own dataset on our recording, with the pipeline of its SlowFast configuration, for 16 frames instead of 32."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.media import NAME, Recording
from benchmarks.ours import manifest
from benchmarks.peers import load_modules

CONFIG = "configs/recognition/slowfast/slowfast_r101_8x8x1_256e_kinetics400_rgb.py"


def loader(folder: Path, recording: Recording, samples: int) -> Callable[[], object]:
    """Reads `samples` samples of 16 frames at stride 2 and the spectrogram of the clip's sound, without optical flow."""
    here = next((path.parent for path in sorted(folder.rglob("dataloader_video_flow_audio_EPIC_SimMMDG.py"))), folder)
    loading, mmcv = load_modules(here, "dataloader_video_flow_audio_EPIC_SimMMDG", "mmcv")
    np.int = int  # NumPy's former name for it, which the pipeline uses
    config = mmcv.Config.fromfile(str(here / CONFIG))
    config.data.train.pipeline[0].clip_len = 16
    _write_split(recording.root)
    found = loading.EPICDOMAIN("train", ["D1"], cfg=config, use_flow=False, datapath=f"{recording.root}/")
    order = random.Random(0)
    return lambda: [found[order.randrange(len(found))] for _ in range(samples)]


def _write_split(root: Path) -> None:
    """The clips in the form of MM-SADA's splits."""
    clips = manifest(20 * 60).clips
    frame, clock = (lambda s: int(s * 60)), (lambda s: f"00:{int(s // 60):02d}:{s % 60:05.2f}")
    table = pd.DataFrame(
        {
            "video_id": NAME,
            "start_frame": [frame(c.start) for c in clips],
            "stop_frame": [frame(c.stop) for c in clips],
            "start_timestamp": [clock(c.start) for c in clips],
            "stop_timestamp": [clock(c.stop) for c in clips],
            "verb_class": 0,
        }
    )
    (root / "MM-SADA_Domain_Adaptation_Splits").mkdir(exist_ok=True)
    table.to_pickle(root / "MM-SADA_Domain_Adaptation_Splits" / "D1_train.pkl")
