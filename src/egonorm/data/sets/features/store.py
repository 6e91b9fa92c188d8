"""A store of features on the disk, as `egonorm extract` writes it: what it is, its clips, and a file a modality."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jaxtyping import Float32, Float64
from safetensors import SafetensorError, safe_open
from torch import Tensor

from egonorm.core import DataError
from egonorm.core.files import Format
from egonorm.core.tensors import has_digest, read_tensors, write_tensors
from egonorm.data import metadata
from egonorm.data.manifest import Manifest
from egonorm.data.readers.features import MappedFeatures
from egonorm.data.sets.features.dataset import FeatureSet, Stored
from egonorm.data.windows import Span

DESCRIPTION, MANIFEST, PARTS = "features.json", "manifest.csv", "parts"
STORE = Format("features", "extract the features again in another folder", error=DataError)
ANEW = "Restore it, or extract the features again in another folder."


@dataclass(frozen=True)
class Modality:
    """One modality of a store."""

    size: int
    """Numbers in a feature."""
    encoder: str
    """What computed it."""
    source: str
    """Where the encoder's weights came from."""
    learnt: tuple[str, ...] = ()
    """The domains of these clips whose labels the encoder was trained on."""


@dataclass(frozen=True)
class Description:
    """All that `features.json` says."""

    modalities: dict[str, Modality]
    """In the order of the pairs."""
    span: Span
    num_windows: int
    classes: tuple[str, ...]
    clips: str
    """The digest of the manifest."""
    data: str
    """What the features were computed of."""
    made: dict[str, Any] = field(default_factory=dict)
    """All that decided the numbers."""
    version: int = STORE.version


@dataclass(frozen=True)
class StoredModality:
    """One modality's file: the tensors `features` [clip, window, feature] and `start` [clip, window]."""

    path: Path

    @property
    def layout(self) -> str:
        """The file's name."""
        return self.path.name

    def starts(self) -> Float64[Tensor, "clip window"]:
        """When each window starts, in seconds."""
        with safe_open(self.path, "pt") as file:
            return file.get_tensor("start")

    def load(self) -> MappedFeatures:
        """The features, mapped."""
        return MappedFeatures(self.path)

    def verify(self) -> bool:
        """Compare all that is stored with its digest; whether it has one. DataError where it is not as it was written."""
        try:
            read_tensors(self.path)
            return has_digest(self.path)
        except (OSError, ValueError) as error:
            raise _unreadable(self.path, str(error)) from None


def features_path(root: Path, modality: str) -> Path:
    """The file of a modality's features."""
    return root / f"{modality}.safetensors"


def write_features(
    root: Path, modality: str, features: Float32[Tensor, "clip window feature"], start: Float64[Tensor, "clip window"]
) -> None:
    """Write one modality of a store; row k is clip k of the manifest."""
    write_tensors(features_path(root, modality), {"features": features, "start": start}, {})


def write_description(root: Path, description: Description, manifest: Manifest) -> None:
    """Write the clips, their times to the last digit, and what the store is: last, so that a store is whole or none."""
    metadata.write_clips(root / MANIFEST, manifest.clips)
    metadata.write_dataclass(root / DESCRIPTION, description)


def read_description(root: Path) -> Description:
    """What a store is. DataError for a file that does not say it."""
    return metadata.read_dataclass(root / DESCRIPTION, Description, STORE, "egonorm extract", ANEW)


def open_store(root: Path) -> FeatureSet:
    """Open a store that `egonorm extract` finished.

    Raises:
        DataError: when its files do not belong together.
    """
    about = read_description(root)
    manifest = metadata.read_listed_clips(root / MANIFEST, about.classes, about.clips, "stored features", ANEW)
    for name, modality in about.modalities.items():
        _check_file(features_path(root, name), (len(manifest), about.num_windows, modality.size))
    own = replace(manifest, clips=replace(manifest.clips, media=manifest.clips.uid))
    sizes = {name: modality.size for name, modality in about.modalities.items()}
    learnt = {name: modality.learnt for name, modality in about.modalities.items()}
    stored = Stored(sizes, about.span, about.num_windows, learnt)
    return FeatureSet(root, own, stored, {name: StoredModality(features_path(root, name)) for name in stored.sizes})


def _unreadable(path: Path, got: str) -> DataError:
    expected = "a file as egonorm extract wrote it"
    return DataError(f"{path} cannot be read.", got=got, expected=expected, remedy=ANEW)


def _check_file(path: Path, shape: tuple[int, int, int]) -> None:
    wanted: Mapping[str, tuple] = {"features": (*shape, "F32"), "start": (*shape[:2], "F64")}
    try:
        with safe_open(path, "pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            found = {name: (*part.get_shape(), part.get_dtype()) for name, part in slices.items()}
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, str(error)) from None
    if found != wanted:
        raise DataError(f"{path} does not hold what {DESCRIPTION} says.", got=found, expected=wanted, remedy=ANEW)
