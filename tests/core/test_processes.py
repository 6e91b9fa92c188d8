"""Work in several processes: what comes back, and what a lost process means."""

import math
import multiprocessing
import os

import pytest
import torch

from egonorm.core import RunError
from egonorm.core.processes import Killed, in_forks, in_processes


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


def test_jobs_in_forks_answer_raise_and_leave_nothing_behind():
    assert sorted(in_forks(lambda job: job * job, 9, 3)) == [(k, k * k) for k in range(9)]
    assert list(in_forks(lambda job: job, 0, 3)) == []
    assert dict(in_forks(lambda job: os._exit(job) if job else None, 3, 2)) == {
        0: None,
        1: Killed("exit status 1"),
        2: Killed("exit status 2"),
    }
    with pytest.raises(ZeroDivisionError):
        list(in_forks(lambda job: 1 // (job - 5), 9, 2))
    assert not multiprocessing.active_children()


def test_forks_compute_with_torch_after_this_process_did():
    matrix = torch.rand(400, 400)
    threads, expected = torch.get_num_threads(), float((matrix @ matrix).sum())
    torch.set_num_threads(2)
    try:
        (matrix @ matrix).sum()
        answers = dict(in_forks(lambda job: (torch.get_num_threads(), float((matrix @ matrix).sum())), 3, 2))
    finally:
        torch.set_num_threads(threads)
    assert all(number == 1 and found == pytest.approx(expected, rel=1e-4) for number, found in answers.values())
