"""Versions of the formats on disk: a file says of which one it is, and another one is refused."""

from dataclasses import dataclass
from pathlib import Path

from egonorm.core.errors import EgonormError, RunError

KEY = "version"
"""Under which a JSON file says it."""


@dataclass(frozen=True)
class Format:
    """What egonorm writes and reads again: a file, or a folder whose description says what it is."""

    name: str
    again: str
    """How such a thing is made anew, in words."""
    version: int = 1
    """Raised by a change after which an older egonorm, or this one with an older file, would read something else."""
    error: type[EgonormError] = RunError

    def check(self, path: Path, found: object = 1) -> None:
        """Refuse a file that says to be of another version; one that says none is of version 1.

        Raises:
            EgonormError: of the format's kind.
        """
        if found != self.version or isinstance(found, bool):
            raise self.error(
                f"{path} is of another version.",
                got=f"{found}, which this egonorm does not read",
                expected=f"{self.version}, of the format of {self.name}",
                remedy=f"Use the egonorm that wrote it, or {self.again}.",
            )
