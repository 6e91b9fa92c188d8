"""A report's folder on disk: which files in it are the report's own, and how a new report takes the place of an old one."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from egonorm.core import RunError
from egonorm.core.errors import some
from egonorm.core.files import ANOTHER, KEY, Format, parse_json, refuse_foreign, saving, write_atomically

LISTING = ".report.json"
"""Names the files of the report, so that the next one knows which it may replace; a bare list is of version 1 too."""
REPORT = Format("a report", "make the report in another folder")
_OWN = re.compile(r"index\.html|(figures|data)/[^./\\][^/\\]*")
"""What a report may consist of; a listing that names anything else is not believed."""


def earlier_files(out: Path) -> set[str]:
    """The files of the report that is in a folder; none where there is nothing yet.

    Raises:
        RunError: when the folder holds things but no report, or a report of another version; nothing is changed.
    """
    refuse_foreign(out, "report", LISTING)
    path = out / LISTING
    try:
        found = parse_json(path.read_text()) if path.exists() else []
        if isinstance(found, dict):
            REPORT.check(path, found.get(KEY, 1))
            found = found.get("files")
        if not isinstance(found, list):
            raise ValueError(f"{found!r} is no list")
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path} cannot be read.", got=error, expected="the list of the report's files", remedy=ANOTHER
        ) from None
    return {name for name in found if isinstance(name, str) and _OWN.fullmatch(name)}


def write_report(out: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of a report by their paths in its folder, and remove those of an earlier report that it lacks.

    The page is written last of all: at any instant it is whole, the old one or the new one. Files that no report wrote stay.

    Raises:
        RunError: when the folder holds things but no report, when something that is not the report's own is in its way, or
            when it cannot be written.
    """
    earlier = earlier_files(out)
    if in_the_way := sorted(name for name in files if name not in earlier and (out / name).exists()):
        raise RunError(
            f"{out} holds something that is no report.",
            got=some(in_the_way),
            expected="only files of an earlier report under these names",
            remedy=ANOTHER,
        )
    _list(out, earlier | set(files))
    for name in sorted(files, key=lambda name: name == "index.html"):
        write_atomically(out / name, files[name])
    with saving(out):
        for name in earlier - set(files):
            (out / name).unlink(missing_ok=True)
    _list(out, set(files))


def _list(out: Path, names: set[str]) -> None:
    listing = {KEY: REPORT.version, "files": sorted(names)}
    write_atomically(out / LISTING, (json.dumps(listing, indent=1) + "\n").encode())
