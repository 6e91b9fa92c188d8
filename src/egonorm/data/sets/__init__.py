"""Where clips come from. Each module here with a function `open_set(root)` is a kind of data, named like the module."""

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from egonorm.core import DataError, Setting
from egonorm.data.manifest import Manifest
from egonorm.data.readers.protocol import Reader
from egonorm.data.sets.features import FeatureSet
from egonorm.data.transforms import FEATURES, Input, as_vector_input


@runtime_checkable
class ClipSet(Protocol):
    """Clips and the readers of their media."""

    manifest: Manifest
    notes: tuple[str, ...]
    """What a user should know about what was found, a sentence each."""

    def reader(self, modality: str, given: Input) -> Reader:
        """The reader of one modality, looking as `given` says; DataError for one that the set does not have."""
        ...

    def layouts(self) -> dict[str, dict[str, int]]:
        """Per modality, how its media lie on the disk, and how many of them do so."""
        ...


@runtime_checkable
class Verifiable(Protocol):
    """Clips whose files have digests."""

    def verify(self, thorough: bool) -> tuple[str, ...]:
        """Compare files with their digests, large ones only where `thorough`; remarks about those that have none. DataError."""
        ...


def kinds() -> tuple[str, ...]:
    """Every kind of data."""
    return tuple(module.name for module in pkgutil.iter_modules(__path__) if _is_kind(module.name))


def _is_kind(name: str) -> bool:
    """Whether a module here opens data; no other one is imported."""
    known = name in {module.name for module in pkgutil.iter_modules(__path__)}
    return known and hasattr(importlib.import_module(f"{__name__}.{name}"), "open_set")


def open_clip_set(text: str) -> ClipSet:
    """Open `KIND:PATH`, for example `folder:/home/me/clips`."""
    kind, colon, path = text.partition(":")
    if not colon or not path or not _is_kind(kind):
        raise DataError(
            f"The data {text!r} cannot be read.",
            got=f"kind {kind!r}, path {path!r}",
            expected=f"KIND:PATH with a kind among {', '.join(kinds())}",
            remedy="Write for example folder:/home/me/clips.",
        )
    root, module = Path(path).expanduser(), importlib.import_module(f"{__name__}.{kind}")
    if not root.is_dir() and not (root.is_file() and getattr(module, "READS_FILES", False)):
        raise DataError(
            f"{root} is not a folder.",
            got="no such folder" if not root.exists() else "a file",
            expected=f"the folder of the data of kind {kind}",
            remedy="Correct the path.",
        )
    return module.open_set(root)


def readers_of(data: ClipSet, inputs: Mapping[str, Input]) -> dict[str, Reader]:
    """The reader of each modality. DataError for a network of features on media, or what the data do not have."""
    of_features = [name for name, given in inputs.items() if given.reads == FEATURES]
    if of_features and not isinstance(data, FeatureSet):
        first = of_features[0]
        raise DataError(
            f"The network's stream {first} is fed features, and the data are media.",
            got="media",
            expected=f"features of {as_vector_input(inputs[first], first).size} numbers",
            remedy="Give the features that it was trained on: --data features:PATH.",
        )
    return {name: data.reader(name, given) for name, given in inputs.items()}


def open_features(text: str) -> FeatureSet | None:
    """The features at `KIND:PATH`, which decide the network's streams; None for media, of which nothing is opened."""
    if not text.startswith("features:"):
        return None
    found = open_clip_set(text)
    assert isinstance(found, FeatureSet)
    return found


def refuse_learnt(data: ClipSet, setting: Setting, modalities: Iterable[str]) -> None:
    """Refuse features of an encoder that has learnt the target's labels, where the target is to be unseen.

    Raises:
        DataError: names the modality and the target.
    """
    if not isinstance(data, FeatureSet) or setting.target in setting.sources:
        return
    for modality in modalities:
        if setting.target in (learnt := data.stored.learnt.get(modality, ())):
            raise DataError(
                f"The features of {modality} cannot be judged on {setting.target} as if it were unseen.",
                got=f"an encoder trained on the labels of {', '.join(learnt)}",
                expected="one that never saw the target's labels",
                remedy="Judge on another domain, or extract with an encoder that was trained elsewhere.",
            )
