"""A report's folder on disk: which files in it are the report's own, and how a new report takes the place of an old one."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from egonorm.core import RunError
from egonorm.core.errors import some
from egonorm.core.files import saving, write_atomically

LISTING = ".report.json"
"""Names the files of the report, so that the next one knows which it may replace."""
_OWN = re.compile(r"index\.html|(figures|data)/[^./\\][^/\\]*")
"""What a report may consist of; a listing that names anything else is not believed."""


def refuse_foreign(out: Path) -> None:
    """Refuse a folder that holds things but no report.

    Raises:
        RunError: names what is in the way; nothing is changed.
    """
    _refuse(out, _earlier(out), ())


def write_report(out: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of a report by their paths in its folder, and remove those of an earlier report that it lacks.

    The page is written last of all: at any instant it is whole, the old one or the new one. Files that no report wrote stay.

    Raises:
        RunError: when the folder holds things but no report, when something that is not the report's own is in its way, or
            when it cannot be written.
    """
    earlier = _earlier(out)
    _refuse(out, earlier, files)
    _list(out, earlier | set(files))
    for name in sorted(files, key=lambda name: name == "index.html"):
        write_atomically(out / name, files[name])
    with saving(out):
        for name in earlier - set(files):
            (out / name).unlink(missing_ok=True)
    _list(out, set(files))


def _list(out: Path, names: set[str]) -> None:
    write_atomically(out / LISTING, (json.dumps(sorted(names), indent=1) + "\n").encode())


def _earlier(out: Path) -> set[str]:
    """The files of the report that is there; none where there is nothing yet."""
    path = out / LISTING
    try:
        names = json.loads(path.read_text()) if path.exists() else []
        if not isinstance(names, list):
            raise ValueError(f"{names!r} is no list")
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path} cannot be read.",
            got=str(error),
            expected="the list of the report's files",
            remedy="Remove the folder, or give another one to --out.",
        ) from None
    return {name for name in names if isinstance(name, str) and _OWN.fullmatch(name)}


def _refuse(out: Path, earlier: set[str], names: Iterable[str]) -> None:
    if out.exists() and not out.is_dir():
        foreign = [out.name]
    elif (out / LISTING).exists():
        foreign = [name for name in names if name not in earlier and (out / name).exists()]
    else:
        foreign = [path.name for path in out.glob("*") if not path.name.startswith(".")]
    if foreign:
        raise RunError(
            f"{out} holds something that is no report.",
            got=some(sorted(foreign)),
            expected="no such folder yet, an empty one, or an earlier report",
            remedy="Give another folder to --out; nothing was changed.",
        )
