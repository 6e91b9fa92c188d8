"""One picture of a data set: a row per domain, a column per class, the middle of one training clip in each cell.

python examples/contact_sheet.py kitchens:demo/kitchens sheet.png
"""

import sys

import numpy as np
from matplotlib.image import imsave

from egonorm.data import Span, VideoInput, open_clip_set
from egonorm.data.windows import even_windows


def main(data: str, out: str) -> None:
    """Read a frame of one clip of each class and domain, and write them side by side; white where a domain has none."""
    clips = open_clip_set(data)
    given = VideoInput(Span(num_frames=1, stride=1, fps=30.0), short_side=120, crop=120)
    reader, white = clips.reader("rgb", given), np.full((124, 124, 3), 255, np.uint8)
    rows = []
    for domain in clips.manifest.domains:
        cells = dict.fromkeys(clips.manifest.classes, white)
        for clip in clips.manifest.select([domain], "train").clips:
            if cells[clip.label] is white:
                frames = given.augment(reader(clip.media, even_windows(clip.start, clip.stop, given.span, 1)), None)
                cells[clip.label] = np.pad(frames[0, 0], ((2, 2), (2, 2), (0, 0)), constant_values=255)
        rows.append(np.hstack(list(cells.values())))
    imsave(out, np.vstack(rows))
    print(f"{out}: rows {', '.join(clips.manifest.domains)}; columns {', '.join(clips.manifest.classes)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
