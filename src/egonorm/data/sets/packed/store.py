"""The folder of packed media: what it says of itself, its clips, and where a medium lies."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from egonorm.core import DataError
from egonorm.core.files import ANOTHER, Format, checksum, fitting, refuse_foreign, write_atomically
from egonorm.data import metadata
from egonorm.data.manifest import Manifest

DESCRIPTION, MANIFEST = "packed.json", "manifest.csv"
PACKED = Format("packed media", "pack the data again in another folder", error=DataError)


@dataclass(frozen=True)
class Packing:
    """All that decides what is stored of a medium."""

    source: str
    """`KIND:PATH` of the data that were packed."""
    modalities: tuple[str, ...]
    short_side: int = 256
    """Pictures with a longer shorter side are scaled down to it."""
    quality: int = 90
    """Of the JPEG pictures."""
    rate: int = 24000
    """Samples of sound a second."""
    clips: str | None = None
    """Where the surroundings of clips alone are stored, the digest of these clips."""


@dataclass(frozen=True)
class PackedDescription:
    """All that `packed.json` says."""

    packing: Packing
    classes: tuple[str, ...] = ()
    """In the order of the source's."""
    manifest: str | None = None
    """The digest of the clips; None until every medium is packed."""
    version: int = PACKED.version


def file_of(media: str, ending: str) -> str:
    """A medium's file in the folder of a modality, whatever its name has in it; other names have other files."""
    return fitting(quote(media, safe=" ", errors="surrogatepass"), 150) + ending


def claim_packed(root: Path, packing: Packing) -> None:
    """Make a folder ours; one that holds the same packing may go on.

    Raises:
        DataError: the folder holds something else, which is left as it is.
    """
    if (root / DESCRIPTION).is_file():
        found = read_packed_description(root).packing
        different = {
            name: (value, getattr(packing, name))
            for name, value in asdict(found).items()
            if value != getattr(packing, name)
        }
        if different:
            raise DataError(
                f"{root} holds media that were packed otherwise.",
                remedy=ANOTHER,
                got=", ".join(f"{name} {wanted}" for name, (_, wanted) in different.items()),
                expected=", ".join(f"{name} {there}" for name, (there, _) in different.items()),
            )
        return
    refuse_foreign(root, "packed media", DESCRIPTION, DataError)
    metadata.write_dataclass(root / DESCRIPTION, PackedDescription(packing))


def finish(root: Path, packing: Packing, manifest: Manifest) -> None:
    """Write the clips, their times to the last digit, and then that all is there."""
    metadata.write_clips(root / MANIFEST, manifest.clips)
    metadata.write_dataclass(root / DESCRIPTION, PackedDescription(packing, manifest.declared, manifest.digest()))


def read_packed_description(root: Path) -> PackedDescription:
    """What a folder of packed media is. DataError for a file that does not say it."""
    return metadata.read_dataclass(root / DESCRIPTION, PackedDescription, PACKED, "egonorm data pack", ANOTHER)


def read_packed_clips(root: Path, about: PackedDescription) -> Manifest:
    """The clips of a finished packing. DataError when it is none, or the table is not the one that was written."""
    if about.manifest is None:
        raise DataError(
            f"{root} is not complete.",
            got="media that are still being packed",
            expected="all of them",
            remedy=f"Run again: {shlex.join(['egonorm', 'data', 'pack', about.packing.source, '--out', str(root)])}",
        )
    return metadata.read_listed_clips(
        root / MANIFEST,
        about.classes,
        about.manifest,
        "packed media",
        "Restore it, or pack the data again: packed media are kept.",
    )


def write_digests(files: Sequence[Path]) -> None:
    """Write the digests of a medium's files beside the first, as `sha256sum --check` reads them."""
    lines = [f"{checksum(file)}  {file.name}\n" for file in files]
    write_atomically(_digests_of(files[0]), "".join(lines).encode())


def verify_digests(path: Path, thorough: bool) -> bool:
    """Whether there are digests of a medium's files; where `thorough`, DataError if they are not theirs."""
    listing = _digests_of(path)
    if not thorough:
        return listing.is_file()
    try:
        lines = [line.split("  ", 1) for line in listing.read_text().splitlines()] if listing.exists() else []
        wrong = [name for digest, name in lines if checksum(path.with_name(name)) != digest]
    except (OSError, ValueError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}", "what egonorm data pack wrote") from None
    if wrong:
        raise _damaged(path, f"another content of {', '.join(wrong)}", f"that of {listing.name}")
    return bool(lines)


def _damaged(path: Path, got: str, expected: str) -> DataError:
    remedy = f"Remove {path.name}* there, and pack the data again: the rest is kept."
    return DataError(f"{path} is not as it was packed.", got=got, expected=expected, remedy=remedy)


def _digests_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
