"""Features that were computed before, by `egonorm extract` or by other programs: they decide the network's streams."""

from pathlib import Path

from egonorm.core import DataError
from egonorm.data.sets.features.dataset import FeatureSet, Stored
from egonorm.data.sets.features.external import open_foreign
from egonorm.data.sets.features.store import DESCRIPTION, PARTS, open_store

READS_FILES = True


def open_set(root: Path) -> FeatureSet:
    """Open a store of `egonorm extract`, or the table and arrays of other programs.

    Raises:
        DataError: for features that cannot be used as they are.
    """
    if (root / DESCRIPTION).exists():
        return open_store(root)
    if (root / PARTS).is_dir():
        raise DataError(
            f"{root} is not complete.",
            got="features that are still being extracted",
            expected="all of them",
            remedy="Run the same egonorm extract again, or wait for its other shards.",
        )
    return open_foreign(root)


__all__ = ["FeatureSet", "Stored", "open_set"]
