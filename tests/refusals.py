"""Refusals compared in whole: what is wrong, what was got, what was expected and what to do are promises to the user."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from egonorm.core import EgonormError


@contextmanager
def refused(kind: type[EgonormError], what: str, got: str, expected: str, remedy: str) -> Iterator[None]:
    """What is within must raise this kind of error with exactly this text."""
    with pytest.raises(kind) as caught:
        yield
    assert str(caught.value) == f"{what}\n  got:      {got}\n  expected: {expected}\n  remedy:   {remedy}"
