"""Files that are whole or absent, whatever stops the program; whose folders may be written into; versions of formats."""

import errno
import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from egonorm.core.errors import EgonormError, RunError, some

ANOTHER = "Give another folder; nothing has been changed in this one."


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that at any instant, after any crash, `path` holds the old content or the new.

    Raises:
        RunError: when the disk is full or cannot be written; the old content stands and no partial file is left.
    """
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """The same, piece by piece: what is written here is at `path` once all of it is there, and else is gone.

    Several processes may write one path at once: each writes a file of its own, and the last one stands.
    """
    partial = None
    try:
        with saving(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            partial, file = _begin(path)
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                partial.replace(path)
            _sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            if partial is not None:
                partial.unlink(missing_ok=True)
        raise


def _begin(path: Path) -> tuple[Path, BinaryIO]:
    """A new file beside a path, locked for as long as it is open, so that `remove_left` knows that it is being written."""
    while True:
        partial = path.with_name(f".{fitting(path.name, 150)}.{os.getpid()}-{secrets.token_hex(4)}.partial")
        file = partial.open("xb")
        with suppress(OSError):  # a disk that knows no locks
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if partial.exists():
            return partial, file
        file.close()


def remove_left(*folders: Path) -> None:
    """Remove what processes that were stopped left half written in folders; what is being written stays."""
    for partial in (partial for folder in folders for partial in folder.glob(".*.partial")):
        with suppress(OSError), partial.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            partial.unlink()


def parse_json(text: str | bytes) -> Any:
    """What JSON says. ValueError for any other text, and for JSON that nests too deep."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("JSON that nests too deep") from None


def checksum(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def refuse_foreign(folder: Path, what: str, mark: str, error: type[EgonormError] = RunError) -> None:
    """Refuse to write into a folder that holds something else than was written there before. Nothing is changed.

    Args:
        what: is to be written, such as `run`.
        mark: the file or folder by which a folder of that is known. Hidden files do not count, nor does what a stopped call left.

    Raises:
        EgonormError: of the kind `error`.
    """
    if folder.exists() and not folder.is_dir():
        raise error(
            f"{folder} is not a folder, and is no {what}.",
            got="a file",
            expected="a new or empty folder",
            remedy=ANOTHER,
        )
    if not folder.exists() or (folder / mark).exists():
        return
    if foreign := sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith(".")):
        raise error(
            f"{folder} is not empty, and holds something that is no {what}.",
            got=some(foreign),
            expected=f"a new or empty folder, or one with {mark}",
            remedy=ANOTHER,
        )


def cache_folder(name: str) -> Path:
    """A folder of egonorm's in the user's cache folder; it may not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "egonorm" / name


def fitting(name: str, most: int = 100) -> str:
    """A name in ASCII if it is short enough for a file, else its beginning and a digest of all of it: others stay others."""
    return name if len(name) <= most else f"{name[: most - 20]}_{hashlib.sha256(name.encode()).hexdigest()[:16]}"


@contextmanager
def saving(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write into a RunError that says what to do."""
    full = (errno.ENOSPC, errno.EDQUOT)
    try:
        yield
    except OSError as error:
        if error.errno in full:
            got, expected, first = "the disk is full", "room to write", "Make room there"
        else:
            got, expected, first = error.strerror or str(error), "a place that can be written", "Give another place"
        raise RunError(
            f"{path} could not be written.",
            got=got,
            expected=expected,
            remedy=f"{first}, then run the same command again: what was saved stands.",
        ) from error


@contextmanager
def locked(path: Path, wait: bool, taken: Callable[[], RunError]) -> Iterator[None]:
    """Hold a lock, a file of its own; where another process holds it, wait or raise what `taken` makes."""
    with saving(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("w")
    with held(lock, wait, taken):
        yield


@contextmanager
def held(lock: IO, wait: bool, taken: Callable[[], RunError]) -> Iterator[None]:
    """Hold an open file as a lock, and close it at the end; where another process holds it, wait or raise what `taken` makes."""
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise taken() from None
        yield


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
        if type(found) is not int or found != self.version:
            raise self.error(
                f"{path} is of another version.",
                got=f"{json.dumps(found)}, which this egonorm does not read",
                expected=f"{self.version}, of the format of {self.name}",
                remedy=f"Use the egonorm that wrote it, or {self.again}.",
            )
