"""Errors that a user can mend: what was got, what was expected, what to do."""

from collections.abc import Sequence
from functools import partial
from typing import Self

from egonorm.core.text import printable


class EgonormError(Exception):
    """The base of every error that a user can cause and mend; the command line prints it without a traceback."""

    def __init__(self, what: str, *, got: object, expected: object, remedy: str):
        """Build the message from its parts; `what` names the thing that is wrong (a file, a clip, an option)."""
        self.what, self.got, self.expected, self.remedy = what, str(got), str(expected), remedy
        super().__init__(printable(f"{what}\n  got:      {got}\n  expected: {expected}\n  remedy:   {remedy}"))

    def at(self, place: object) -> Self:
        """The same error, of a place: a file, or a line of it."""
        return type(self)(f"{place}: {self.what}", got=self.got, expected=self.expected, remedy=self.remedy)

    def __reduce__(self):
        """Errors cross processes whole: from those that read clips to the one that trains."""
        return partial(type(self), got=self.got, expected=self.expected, remedy=self.remedy), (self.what,)


class DataError(EgonormError):
    """Clips, manifests, media or annotations that cannot be used as they are."""


class PartlyBrokenError(DataError):
    """A medium that is broken in places; what lies elsewhere can be read."""

    def __init__(
        self,
        what: str,
        *,
        got: object,
        expected: object,
        remedy: str,
        places: Sequence[tuple[float, float]] = (),
        seconds: float = 0.0,
    ):
        """`places` are the broken stretches in seconds, the medium's end being `inf`; `seconds` is how long it lasts."""
        super().__init__(what, got=got, expected=expected, remedy=remedy)
        self.places, self.seconds = tuple(places), seconds

    @classmethod
    def of(cls, faults: Sequence[tuple[float, float, EgonormError]], seconds: float) -> "PartlyBrokenError":
        """One error of several, each with the stretch that it makes unusable; the first one speaks."""
        first, more = faults[0][2], len(faults) - 1
        got = first.got + f", and {more} more such place{'s' * (more > 1)}" * (more > 0)
        places = [(start, stop) for start, stop, _ in faults]
        return cls(first.what, got=got, expected=first.expected, remedy=first.remedy, places=places, seconds=seconds)

    def __reduce__(self):
        """See above."""
        made, arguments = super().__reduce__()
        return partial(made, places=self.places, seconds=self.seconds), arguments


class SettingError(EgonormError):
    """A setting or a method that makes no sense, alone or together."""


class WeightsError(EgonormError):
    """Weights that do not belong to the network, or a file that is not what its checksum says."""


class RunError(EgonormError):
    """A run that cannot start, go on, be saved or be read."""


class NotFiniteError(RunError):
    """A loss term became infinite or not a number during training."""


class ArgumentError(EgonormError, ValueError):
    """An argument of a function of the library that cannot be used."""


def some(names: Sequence[str], most: int = 5) -> str:
    """The first of the names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
