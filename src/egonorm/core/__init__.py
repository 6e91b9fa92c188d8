"""Floor 0: the nouns, the settings and the errors. Imports nothing of the package."""

from egonorm.core.errors import DataError, EgonormError, NotFiniteError, RunError, SettingError, WeightsError
from egonorm.core.settings import Setting
from egonorm.core.types import Batch, Seen, Terms, View

__all__ = [
    "Batch",
    "DataError",
    "EgonormError",
    "NotFiniteError",
    "RunError",
    "Seen",
    "Setting",
    "SettingError",
    "Terms",
    "View",
    "WeightsError",
]
