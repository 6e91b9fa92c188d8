"""Floor 2: from media to batches."""

from egonorm.data.dataset import Clips
from egonorm.data.manifest import Clip, Manifest, read_manifest, write_manifest
from egonorm.data.sets import open_clip_set
from egonorm.data.transforms import AudioInput, FeatureInput, Input, VideoInput
from egonorm.data.windows import Span

open_data = open_clip_set  # as it was called before `egonorm.open_data`

__all__ = [
    "AudioInput",
    "Clip",
    "Clips",
    "FeatureInput",
    "Input",
    "Manifest",
    "Span",
    "VideoInput",
    "open_clip_set",
    "open_data",
    "read_manifest",
    "write_manifest",
]
