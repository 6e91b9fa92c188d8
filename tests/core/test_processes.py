"""Work in several processes: what comes back, and what a lost process means."""

import math
import os

import pytest

from egonorm.core import RunError
from egonorm.core.processes import in_processes


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_gives_its_result_and_an_error_comes_as_it_was(workers):
    assert sorted(in_processes(math.gcd, [(4, 6), (9, 6), (5, 10)], workers)) == [2, 3, 5]
    assert not list(in_processes(math.gcd, [], workers))
    with pytest.raises(TypeError, match="must be real number"):
        list(in_processes(math.sqrt, [("x",), (4,)], workers))


@pytest.mark.slow
def test_a_lost_process_is_told():
    with pytest.raises(RunError, match=r"(?s)A process ended too soon.*Use fewer workers"):
        list(in_processes(os._exit, [(1,), (1,)], 2))
