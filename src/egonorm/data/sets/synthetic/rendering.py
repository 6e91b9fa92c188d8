"""Rendering a whole data set of kitchens: in parallel, restartable, the manifest last."""

import os
from collections.abc import Callable
from pathlib import Path

from egonorm.core.files import write_atomically
from egonorm.core.processes import in_processes
from egonorm.data.manifest import write_manifest
from egonorm.data.sets.synthetic.config import KitchensConfig, describe
from egonorm.data.sets.synthetic.displacement import displacements, pack
from egonorm.data.sets.synthetic.movie import encode
from egonorm.data.sets.synthetic.scene import frames
from egonorm.data.sets.synthetic.soundtrack import soundtrack
from egonorm.data.sets.synthetic.store import MANIFEST, claim, flow_of
from egonorm.data.sets.synthetic.timeline import Video, plan_videos

Progress = Callable[[int, int], None]


def render_kitchens(root: Path, config: KitchensConfig, workers: int | None = None,
                    progress: Progress | None = None, flow: bool = False) -> Path:  # fmt: skip
    """Render the kitchens into a folder, if asked for with their optical flow, and return the path of its manifest.

    What has been rendered is kept: an interrupted call can be repeated, a finished one returns at once, and flow can be
    added later. `workers` is the number of processes, by default the number of CPUs; `progress` hears how many files
    are done, of how many. As with every use of processes, a script calls this under `if __name__ == "__main__":`, or
    with `workers=1`.

    Raises:
        DataError: the folder holds something else; nothing is changed.
        RunError: it cannot be written, or a process is lost; finished files are kept.
    """
    progress = progress or (lambda done, of: None)
    claim(root, describe(config))
    videos = [video for kitchen in range(1, config.kitchens + 1)
              for video in plan_videos(config.seed, kitchen, config.clips)]  # fmt: skip
    files = {name: video for video in videos for name in (video.media, flow_of(video.media))[: 1 + flow]}
    missing = {name: video for name, video in files.items() if not (root / name).is_file()}
    done = len(files) - len(missing)
    progress(done, len(files))
    jobs = [(root, name, video, config.size) for name, video in missing.items()]
    for count, _ in enumerate(in_processes(render_file, jobs, workers or os.cpu_count() or 1), done + 1):
        progress(count, len(files))
    if missing or not (root / MANIFEST).is_file():
        write_manifest(root / MANIFEST, [clip for video in videos for clip in video.clips()])
    return root / MANIFEST


def render_file(root: Path, name: str, video: Video, size: tuple[int, int]) -> None:
    """Render a file of a video: the pictures with their sound, or the flow."""
    if name == video.media:
        write_atomically(root / name, encode(frames(video, size), soundtrack(video), size))
    else:
        write_atomically(root / name, pack(displacements(video, size)))
