"""One picture of a data set: a row per domain, a column per class, the middle of one training clip in each cell.

python examples/contact_sheet.py kitchens:demo/kitchens sheet.png
"""

import sys
from pathlib import Path

import av
import numpy as np

from egonorm.data.sets import open_clip_set
from egonorm.data.transforms import VideoInput
from egonorm.data.windows import Span


def main(data: str, out: Path) -> None:
    """Read a frame of one clip of each class and domain, and write them side by side as a PNG file."""
    clips = open_clip_set(data)
    reader = clips.reader("rgb", VideoInput(Span(1, 1, 30.0), short_side=120, crop=120))
    rows = []
    for domain in clips.manifest.domains:
        of_domain = clips.manifest.select([domain], "train").clips
        chosen = [next(clip for clip in of_domain if clip.label == label) for label in clips.manifest.classes]
        middles = [(clip.start + clip.stop) / 2 for clip in chosen]
        cells = [reader(clip.media, t, t + 1 / 30)[0].numpy() for clip, t in zip(chosen, middles, strict=True)]
        rows.append(
            np.concatenate([np.pad(cell, ((2, 2), (2, 2), (0, 0)), constant_values=255) for cell in cells], axis=1)
        )
    sheet = np.concatenate(rows)
    write_png(sheet[: len(sheet) // 2 * 2, : sheet.shape[1] // 2 * 2], out)
    print(f"{out}: rows {', '.join(clips.manifest.domains)}; columns {', '.join(clips.manifest.classes)}")


def write_png(picture: np.ndarray, out: Path) -> None:
    """Write `height width 3` bytes."""
    with av.open(str(out), "w", format="image2") as container:
        stream = container.add_stream("png", rate=1)
        stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], "rgb24"
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        container.mux(stream.encode(frame) + stream.encode(None))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
