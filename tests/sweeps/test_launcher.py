"""Engines: several tasks at a time, errors given back, and a process that dies fails its task alone."""

import os
import time
from functools import partial

import pytest

from egonorm.sweeps.launcher import LocalEngine, RayEngine

FINE, WRONG, DYING = partial({}.get, "error"), partial(str, "it broke"), partial(os._exit, 9)
"""Tasks that any process can import."""


def all_finished(engine, tasks):
    found, waiting = {}, list(tasks.items())
    running = 0
    while waiting or running:
        while waiting and running < engine.num_slots:
            engine.start(*waiting.pop(0))
            running += 1
        key, error = engine.finished()
        found[key] = error
        running -= 1
    return found


@pytest.mark.slow
def test_tasks_end_with_their_errors_and_a_killed_process_costs_its_task_alone():
    engine = LocalEngine(2)
    try:
        tasks = {"fine": FINE, "killed": DYING, "wrong": WRONG, "after": FINE}
        found = all_finished(engine, tasks)
    finally:
        engine.close()
    assert found == {"fine": None, "killed": "its process ended with code 9", "wrong": "it broke", "after": None}


def test_close_ends_what_is_running():
    engine = LocalEngine(1)
    engine.start("nap", partial(time.sleep, 60))
    process = engine._slots[0].process
    began = time.monotonic()
    engine.close()
    assert not process.is_alive() and time.monotonic() - began < 30


@pytest.mark.slow
def test_ray_does_the_same():
    pytest.importorskip("ray", reason="the package ray is not installed")
    engine = RayEngine(2)
    try:
        found = all_finished(engine, {"fine": FINE, "killed": DYING, "wrong": WRONG})
    finally:
        engine.close()
    assert found["fine"] is None and found["wrong"] == "it broke" and "Error" in found["killed"]
