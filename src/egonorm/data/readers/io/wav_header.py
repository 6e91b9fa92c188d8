"""Where the samples of a WAV file lie, and how many bytes of them its header promises."""

import struct
from dataclasses import dataclass
from pathlib import Path

NEVER_FILLED_IN = 1 << 16
"""Bytes below 2 and 4 GiB in which a length means that nobody knew it: who writes to a pipe cannot go back to correct it."""


@dataclass(frozen=True)
class SoundChunk:
    """The first chunk of samples. A length that was never filled in (0, or just below 2 or 4 GiB) reaches to the file's end."""

    form: bytes
    """What the chunk of the format says."""
    offset: int
    there: int
    """Bytes from the offset to the end of the file."""
    promised: int
    """Bytes of samples that there should be."""

    @property
    def length(self) -> int:
        """Bytes of samples that there are."""
        return min(self.there, self.promised)


def find_sound(path: Path, size: int) -> SoundChunk:
    """Read the header of a file of so many bytes: RIFF, or RF64 (EBU Tech 3306) and BW64, whose lengths have 64 bits.

    What follows the samples is not looked at: a length that was never filled in leads into the middle of them.

    Raises:
        ValueError: for a file of another kind; its text says what was found.
    """
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:] != b"WAVE":
            raise ValueError(f"a file that begins with {head[:4]!r}")
        chunks: dict[bytes, tuple[int, int]] = {}
        while b"data" not in chunks and len(begin := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", begin)
            chunks[name] = file.tell(), length
            file.seek(length + length % 2, 1)  # chunks begin at even offsets
        if missing := {b"fmt ", b"data"} - chunks.keys():
            raise ValueError(f"no chunk {min(missing).decode()!r}")
        file.seek(chunks[b"fmt "][0])
        form = file.read(min(chunks[b"fmt "][1], 64))
        offset, promised = chunks[b"data"]
        there = size - offset
        if head[:4] != b"RIFF" and b"ds64" in chunks:
            file.seek(chunks[b"ds64"][0] + 8)
            promised = int.from_bytes(file.read(8), "little")
        elif promised == 0 or (
            promised > there and any(0 <= top - promised <= NEVER_FILLED_IN for top in (1 << 31, 1 << 32))
        ):
            promised = there
    return SoundChunk(form, offset, there, promised)
