"""Blocks of a network by the names that a person gives them: `rgb`, `rgb.encoder.mixed_4`, `fusion`, `extra.domain_rgb`."""

from collections.abc import Collection, Iterable

from egonorm.core import RunError

_PARTS = {"encoders": "encoder", "necks": "neck", "fusion.classifiers": "classifier"}
"""The parts of a modality: where `Net` keeps them, and what they are called."""
FUSION = "fusion"


def block_of(name: str, blocks: Collection[str]) -> str | None:
    """The smallest of some blocks that a parameter or module lies in; None where it is in none.

    Everything of a modality is in the block of its name: `rgb.encoder`, `rgb.neck`, and with late fusion `rgb.classifier`. The
    block `fusion` is what decides: the classifiers of all modalities, or the layers over them. What else a network has is called
    as it is there. A block may end in a module's name where a word of it ends, at an underscore or between a digit and a
    letter: `mixed_4` is Mixed_4b to Mixed_4f, `inception_4a` all convolutions of that block. Case does not matter.

    Args:
        name: as in `named_parameters()` or `named_modules()` of the network.
    """
    found = [block for block in blocks if any(_lies_in(known, block.lower()) for known in _names(name))]
    # fusion is smaller than a modality: of that, it has only the classifier
    return max(found, key=lambda block: (block.count("."), block.lower() == FUSION, len(block)), default=None)


def check_blocks(blocks: Iterable[str], parameters: Collection[str], option: str) -> None:
    """Refuse blocks in which no parameter of a network lies.

    Raises:
        RunError: names what there is, as far as the name is right.
    """
    for block in blocks:
        if not any(block_of(name, [block]) for name in parameters):
            raise RunError(
                f"{option}: the network has no block {block}.",
                got=block,
                expected=", ".join(_near(block.lower(), parameters)),
                remedy="Write one of these, or a block in one of these.",
            )


def _names(name: str) -> tuple[str, ...]:
    """All names of a parameter or module, in small letters."""
    for place, part in _PARTS.items():
        if name.startswith(f"{place}."):
            modality, dot, inside = name.removeprefix(f"{place}.").lower().partition(".")
            of_modality = f"{modality}.{part}{dot}{inside}"
            return (of_modality, name.lower()) if place.startswith(FUSION) else (of_modality,)
    return (name.lower(),)


def _lies_in(name: str, block: str) -> bool:
    if not name.startswith(block):
        return False
    rest = name[len(block) :]
    ends_word = rest.startswith("_") or (block[-1:].isdigit() and rest[:1].isalpha())
    return not rest or rest.startswith(".") or ("." in block and ends_word)


def _near(block: str, parameters: Collection[str]) -> list[str]:
    """The blocks one step further in than the part of a name that is right; two steps where nothing is."""
    names = [known for name in parameters for known in _names(name)]
    words = block.split(".")
    for depth in range(len(words) - 1, 0, -1):
        start = ".".join(words[:depth]) + "."
        inside = dict.fromkeys(start + _short(name[len(start) :]) for name in names if name.startswith(start))
        if inside:
            return list(inside)
    tops = dict.fromkeys(name.partition(".")[0] for name in names)
    return [near for top in tops for near in (top, *([] if top == FUSION else _near(f"{top}.", parameters)))]


def _short(name: str) -> str:
    """The first module's name, as far as its second word: many of one stage are one block."""
    return "_".join(name.partition(".")[0].split("_")[:2])
