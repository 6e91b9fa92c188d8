"""Processes that others start."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
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
