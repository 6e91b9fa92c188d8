"""What a loss is given by somebody's own loop, checked once and told in words."""

from collections.abc import Mapping
from math import isfinite
from numbers import Real

from torch import Tensor

from egonorm.core.errors import ArgumentError

_EXPECTED = "a mapping from modality to a tensor of floating numbers, shape (clip feature), with the same clips in all"


def check_features(
    features: Mapping[str, Tensor], fewest: int = 1, equal_sizes: bool = False, same_clips: bool = True
) -> None:
    """Refuse what is no features per modality.

    Args:
        fewest: how many modalities are needed, 1 or 2.
        equal_sizes: whether all features need the same number of numbers.
        same_clips: whether they are of the same clips; samples of two domains are not.

    Raises:
        ArgumentError: a ValueError that says what was got, what was expected and what to do.
    """
    if not isinstance(features, Mapping):
        raise _refusal(
            type(features).__name__, _EXPECTED, "Give view.features, or a dictionary such as {'rgb': x, 'audio': y}."
        )
    if len(features) < fewest:
        expected = f"{'one modality' if fewest == 1 else 'two modalities'} or more"
        raise _refusal(next(iter(features), "none"), expected, "Add a modality, or leave this loss out.")
    for name, x in features.items():
        if not isinstance(x, Tensor):
            raise _refusal(f"{name}: {type(x).__name__}", _EXPECTED, f"Give the features of {name} as a torch.Tensor.")
        if x.dim() != 2 or not x.dtype.is_floating_point:
            got = f"{name}: shape {tuple(x.shape)} of {str(x.dtype).removeprefix('torch.')}"
            raise _refusal(
                got, _EXPECTED, "Give one row a clip, before dropout: view.features of a network of egonorm."
            )
        if not len(x):
            raise _refusal(f"{name}: no clips", "one clip or more", "Leave an empty batch out.")
    for what, axis, needed in (("clips", 0, same_clips), ("numbers a feature", 1, equal_sizes)):
        if needed and len({x.shape[axis] for x in features.values()}) > 1:
            counts = ", ".join(f"{name}: {x.shape[axis]}" for name, x in features.items())
            raise _refusal(
                f"{what}: {counts}", f"the same number of {what} in all modalities", "Give features of the same batch."
            )


def check_choice(name: str, given: object, choices: tuple[str, ...]) -> None:
    """Refuse a word that is not among the choices of an argument."""
    if given not in choices:
        expected = " or ".join(choices)
        raise ArgumentError(
            f"{name} cannot be used.", got=given, expected=expected, remedy=f"Give one of these as {name}."
        )


def check_number(name: str, given: object, above: bool = False) -> None:
    """Refuse what is no finite number from 0 on, or, `above` it, greater than 0."""
    if not isinstance(given, Real) or not isfinite(given) or given < 0 or (above and given == 0):
        raise ArgumentError(
            f"{name} cannot be used.",
            got=repr(given),
            expected="a finite number greater than 0" if above else "a finite number, 0 or greater",
            remedy=f"Give such a number as {name}.",
        )


def _refusal(got: str, expected: str, remedy: str) -> ArgumentError:
    return ArgumentError("The features cannot be used.", got=got, expected=expected, remedy=remedy)
