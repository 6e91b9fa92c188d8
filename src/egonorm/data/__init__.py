"""Floor 2: from media to batches."""

from egonorm.data.dataset import Clips
from egonorm.data.inputs import AudioInput, VideoInput
from egonorm.data.manifest import Clip, Manifest, read_manifest, write_manifest
from egonorm.data.sampling import Span
from egonorm.data.sets import open_data

__all__ = [
    "AudioInput",
    "Clip",
    "Clips",
    "Manifest",
    "Span",
    "VideoInput",
    "open_data",
    "read_manifest",
    "write_manifest",
]
