"""Where the runs of a sweep are done: in processes of this machine, or on a Ray cluster. Both know one thing: perform a task."""

import multiprocessing
import os
import pickle
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol, runtime_checkable

import torch

from egonorm.core import RunError
from egonorm.core.processes import end_with_parent

Task = Callable[[], str | None]
"""What can be sent to another process and called there; the error's text, or None."""


@runtime_checkable
class Engine(Protocol):
    """Performs tasks, several at a time."""

    num_slots: int

    def start(self, key: Any, task: Task) -> None:
        """Begin a task; there must be a free slot."""
        ...

    def finished(self) -> tuple[Any, str | None]:
        """Wait until a task has ended: its key, and its error if it failed."""
        ...

    def close(self) -> None:
        """End everything at once."""
        ...


@dataclass
class _Slot:
    """One process that performs tasks one after the other."""

    process: multiprocessing.process.BaseProcess
    pipe: Connection
    key: Any = None


class LocalEngine:
    """Processes of this machine. One that dies fails its task alone; each has its own GPU where there are GPUs."""

    def __init__(self, num_slots: int):
        self.num_slots = num_slots
        self._context = multiprocessing.get_context("spawn")  # a fork of a process that has used torch may hang
        self._slots: dict[int, _Slot] = {}

    def start(self, key: Any, task: Task) -> None:
        """Give a task to a free process, started if it is not there yet."""
        number = next(k for k in range(self.num_slots) if k not in self._slots or self._slots[k].key is None)
        if number not in self._slots:
            self._slots[number] = self._open(number)
        try:
            self._slots[number].pipe.send(task)
        except BrokenPipeError:  # it died while it had nothing to do
            self._slots[number] = self._open(number)
            self._slots[number].pipe.send(task)
        self._slots[number].key = key

    def finished(self) -> tuple[Any, str | None]:
        """Wait for a process that has ended its task, or has died of it."""
        busy = {number: slot for number, slot in self._slots.items() if slot.key is not None}
        ready = wait([x for slot in busy.values() for x in (slot.pipe, slot.process.sentinel)])
        number, slot = next((k, s) for k, s in busy.items() if s.pipe in ready or s.process.sentinel in ready)
        key, slot.key = slot.key, None
        try:
            return key, slot.pipe.recv()
        except (EOFError, ConnectionResetError):
            slot.process.join()
            del self._slots[number]
            return key, f"its process ended with code {slot.process.exitcode}"

    def close(self) -> None:
        """End all processes; what their runs saved stands."""
        for slot in self._slots.values():
            slot.process.terminate()
            slot.process.join()
        self._slots.clear()

    def _open(self, number: int) -> _Slot:
        here, there = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(there, number, self.num_slots))
        process.start()
        there.close()
        return _Slot(process, here)


def _serve(pipe: Connection, number: int, of: int) -> None:
    """Perform what comes until the pipe is closed."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one ends it
    os.environ["LOCAL_RANK"] = str(number % max(1, torch.cuda.device_count()))  # which GPU "cuda" then means
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // of))
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        pipe.send(task())


class RayEngine:
    """A Ray cluster, the one at RAY_ADDRESS or a new one on this machine; a task takes a CPU, and a GPU where there are some."""

    def __init__(self, num_slots: int | None = None):
        try:
            import ray
        except ImportError:
            raise RunError(
                "--engine ray cannot be used.",
                got="no package ray",
                expected="Ray 2 or later",
                remedy="Install it: pip install 'egonorm[ray]'.",
            ) from None
        self._ray = ray
        ray.init(address=os.environ.get("RAY_ADDRESS"), log_to_driver=False, include_dashboard=False)
        found = ray.cluster_resources()
        gpus = int(found.get("GPU", 0))
        self.num_slots = num_slots or gpus or int(found["CPU"])
        self._perform = ray.remote(num_cpus=1, num_gpus=1 if gpus else 0, max_retries=0)(_perform)
        self._keys: dict[Any, Any] = {}

    def start(self, key: Any, task: Task) -> None:
        """Hand a task to the cluster."""
        self._keys[self._perform.remote(pickle.dumps(task), sys.argv, sys.path)] = key

    def finished(self) -> tuple[Any, str | None]:
        """Wait for a task that has ended."""
        (reference,), _ = self._ray.wait(list(self._keys), num_returns=1)
        key = self._keys.pop(reference)
        try:
            return key, self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            return key, f"{type(error).__name__}: {error}".splitlines()[0]

    def close(self) -> None:
        """Leave the cluster."""
        self._ray.shutdown()


def _perform(task: bytes, command: list[str], path: list[str]) -> str | None:
    sys.argv = command  # the one that a run's folder tells of; processes of this machine have it already
    sys.path.extend(folder for folder in path if folder not in sys.path)  # where a user's methods lie
    torch.set_num_threads(1)
    return pickle.loads(task)()
