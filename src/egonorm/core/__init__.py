"""Floor 0: the nouns, the settings and the errors. Imports nothing of the package."""

from egonorm.core.errors import (
    DataError,
    EgonormError,
    NotFiniteError,
    PartlyBrokenError,
    RunError,
    SettingError,
    WeightsError,
)
from egonorm.core.types import Batch, Seen, Setting, Terms, View

__all__ = [
    "Batch",
    "DataError",
    "EgonormError",
    "NotFiniteError",
    "PartlyBrokenError",
    "RunError",
    "Seen",
    "Setting",
    "SettingError",
    "Terms",
    "View",
    "WeightsError",
]
