"""Processes that others start: to work side by side, and to let what may be brought down bring down a copy."""

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait
from typing import Any

from egonorm.core.errors import RunError


def end_with_parent() -> None:
    """Let this process end when the one that started it is killed, instead of waiting for ever."""
    parent = multiprocessing.parent_process()
    if parent is None:  # nobody started it
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def in_processes(function: Callable[..., Any], jobs: Sequence[tuple], workers: int) -> Iterator[Any]:
    """What a function returns for each tuple of arguments, as soon as it is there; in this process if one is enough.

    As with every use of processes, a script calls this under `if __name__ == "__main__":`, or with one worker. When the
    function raises, jobs that have not begun are dropped.

    Raises:
        RunError: when a process is lost, for want of memory for example.
    """
    if min(workers, len(jobs)) <= 1:
        yield from (function(*job) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")  # a fork of a process that has used torch may hang
    with ProcessPoolExecutor(min(workers, len(jobs)), context, end_with_parent) as pool:
        try:
            for done in as_completed([pool.submit(function, *job) for job in jobs]):
                yield done.result()
        except BrokenProcessPool as error:
            raise RunError(
                "A process ended too soon.",
                got=error,
                expected="one that can start, and memory for it",
                remedy='Use fewer workers; call this under `if __name__ == "__main__":`.',
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@dataclass(frozen=True)
class Killed:
    """The answer of a process that ended before it gave one."""

    how: str
    """The signal or the exit status that it ended with."""


def in_forks(function: Callable[[int], Any], number: int, workers: int) -> Iterator[tuple[int, Any]]:
    """What a function returns for each whole number below `number`, with that number, in whatever order they come.

    It is called in copies of this process, so that native code which brings one down, as a decoder does that is fed a damaged
    file, brings down nothing else: the answer is `Killed` then, and another copy goes on with the next number. Where processes
    cannot be copied, or one must not start others (a daemon), it is called here.
    """
    if "fork" not in multiprocessing.get_all_start_methods() or multiprocessing.current_process().daemon:
        yield from ((job, function(job)) for job in range(number))
        return
    jobs, idle = iter(range(number)), [_Copy(function) for _ in range(min(workers, number))]
    asked: dict[Any, tuple[_Copy, int]] = {}
    try:
        while True:
            for job in islice(jobs, len(idle)):
                copy = idle.pop()
                copy.ask(job)
                asked[copy.connection] = copy, job
            if not asked:
                return
            for connection in wait(list(asked)):
                copy, job = asked.pop(connection)
                idle.append(copy)
                found = copy.answer()
                if isinstance(found, Killed):
                    idle[-1] = _Copy(function)
                yield job, found
    finally:
        for copy in (*idle, *(copy for copy, _ in asked.values())):
            copy.end()


class _Copy:
    """A copy of this process that calls a function whenever it is asked to."""

    def __init__(self, function: Callable[[int], Any]):
        context = multiprocessing.get_context("fork")
        self.connection, there = context.Pipe()
        self.process = context.Process(target=_serve, args=(function, there), daemon=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads: what is called waits for none of them
            self.process.start()
        there.close()

    def ask(self, job: int) -> None:
        """Let it begin; one that has ended already says so when it is to answer."""
        with suppress(ConnectionError):
            self.connection.send(job)

    def answer(self) -> Any:
        """What the function returned; what it raised is raised here."""
        try:
            found, error = self.connection.recv()
        except (EOFError, ConnectionError):
            self.process.join()
            code = self.process.exitcode or 0
            return Killed(f"signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"exit status {code}")
        if error is not None:
            raise error
        return found

    def end(self) -> None:
        """End it, whatever it is at."""
        self.process.kill()
        self.process.join()
        self.connection.close()


def _serve(function: Callable[[int], Any], questions: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that was copied ends this one
    end_with_parent()
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)  # its threads were not copied: who waits for them waits for ever
    while True:
        job = questions.recv()
        found = error = None
        try:
            found = function(job)
        except Exception as raised:
            error = raised
        questions.send((found, error))
