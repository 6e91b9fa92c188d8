"""Rendering a whole data set of kitchens: in parallel, restartable, the manifest last."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

from egonorm.core import DataError
from egonorm.core.files import write_atomically
from egonorm.core.processes import end_with_parent
from egonorm.data.manifest import write_manifest
from egonorm.data.sets.synthetic.config import KitchensConfig, describe
from egonorm.data.sets.synthetic.movie import encode
from egonorm.data.sets.synthetic.scene import frames
from egonorm.data.sets.synthetic.soundtrack import soundtrack
from egonorm.data.sets.synthetic.store import MANIFEST, claim
from egonorm.data.sets.synthetic.timeline import Video, plan_videos

Progress = Callable[[int, int], None]


def render_kitchens(root: Path, config: KitchensConfig, workers: int | None = None,
                    progress: Progress | None = None) -> Path:  # fmt: skip
    """Render the kitchens into a folder and return the path of its manifest.

    What has been rendered is kept: an interrupted call can be repeated, a finished one returns at once. `workers` is
    the number of processes, by default the number of CPUs; `progress` hears how many videos are done, of how many. As
    with every use of processes, a script calls this under `if __name__ == "__main__":`, or with `workers=1`.

    Raises:
        DataError: the folder holds something else; nothing is changed.
        RunError: it cannot be written; finished videos are kept.
    """
    progress = progress or (lambda done, of: None)
    with _lost_processes():
        claim(root, describe(config))
        videos = [video for kitchen in range(1, config.kitchens + 1)
                  for video in plan_videos(config.seed, kitchen, config.clips)]  # fmt: skip
        missing = [video for video in videos if not (root / video.media).is_file()]
        done = len(videos) - len(missing)
        progress(done, len(videos))
        for count, _ in enumerate(_render_all(root, missing, config.size, workers or os.cpu_count() or 1), done + 1):
            progress(count, len(videos))
        if missing or not (root / MANIFEST).is_file():
            write_manifest(root / MANIFEST, [clip for video in videos for clip in video.clips()])
    return root / MANIFEST


def render_video(root: Path, video: Video, size: tuple[int, int]) -> None:
    """Render one video into its file."""
    write_atomically(root / video.media, encode(frames(video, size), soundtrack(video), size))


def _render_all(root: Path, videos: list[Video], size: tuple[int, int], workers: int) -> Iterator[None]:
    """Render the videos, in this process if one is enough; yields after each."""
    if min(workers, len(videos)) <= 1:
        for video in videos:
            yield render_video(root, video, size)
        return
    context = multiprocessing.get_context("spawn")  # a fork of a process that has used torch may hang
    with ProcessPoolExecutor(min(workers, len(videos)), context, end_with_parent) as pool:
        jobs = [pool.submit(render_video, root, video, size) for video in videos]
        try:
            for job in as_completed(jobs):
                yield job.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def _lost_processes() -> Iterator[None]:
    """Say what a lost process means."""
    try:
        yield
    except BrokenProcessPool as error:
        raise DataError("A process that rendered kitchens ended too soon.", got=error, expected="one that can start",
                        remedy='Call under `if __name__ == "__main__":`, or with workers=1.') from error  # fmt: skip
