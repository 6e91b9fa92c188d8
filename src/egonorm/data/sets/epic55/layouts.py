"""How EPIC-Kitchens-55 lies on disks: a table of the layouts that people have, and where a video is among them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from egonorm.core import DataError
from egonorm.data.readers.flow import holds_flow
from egonorm.data.readers.image_sequence import holds_pictures
from egonorm.data.readers.protocol import Reader
from egonorm.data.windows import Window


class EpicVideo(NamedTuple):
    """What a layout may name a video by."""

    video: str
    participant: str
    domain: str
    split: str


class Layout(NamedTuple):
    """One row of the table; `pattern` is a path below the root, without what the kind of file adds."""

    name: str
    pattern: str
    kind: str


class Place(NamedTuple):
    """Where the layout has led to: a path below the root."""

    layout: Layout
    path: str


ENDINGS = {
    "pictures": ("", ".tar"),
    "video": (".MP4", ".mp4"),
    "wav": (".wav", ".WAV"),
    "soundtrack": (".MP4", ".mp4"),
    "flow": ("", ".tar"),
    "flow among pictures": ("",),
}
"""The kinds of media, and how their names end; a folder of pictures has no ending."""
FOLDERS = {"pictures": holds_pictures, "flow": holds_flow, "flow among pictures": holds_flow}
"""Of the kinds that may be folders, what tells whether a folder is one."""

_PICTURES = (
    Layout("MM-SADA code", "rgb/{participant}/{video}", "pictures"),
    Layout("MM-SADA download script", "frames_rgb_flow/rgb/{split}/{domain}/{video}", "pictures"),
    Layout("EPIC-Kitchens-55 download", "frames_rgb_flow/rgb/{split}/{participant}/{video}", "pictures"),
    Layout("SimMMDG", "rgb/{split}/{domain}/{video}", "pictures"),
    Layout("EPIC-Kitchens", "{participant}/rgb_frames/{video}", "pictures"),
    Layout("participants", "{participant}/{video}", "pictures"),
    Layout("Temporal Binding Network", "{video}", "pictures"),
)
_WAVS = (
    Layout("audio", "audio/{video}", "wav"),
    Layout("audio by participant", "audio/{participant}/{video}", "wav"),
    Layout("wav", "wav/{video}", "wav"),
    Layout("wav by participant", "wav/{participant}/{video}", "wav"),
    Layout("SimMMDG", "rgb/{split}/{domain}/{video}", "wav"),
    Layout("EPIC-Kitchens", "{participant}/audio/{video}", "wav"),
    Layout("participants", "{participant}/{video}", "wav"),
    Layout("flat", "{video}", "wav"),
)
_VIDEOS = (
    Layout("videos by participant", "videos/{participant}/{video}", "video"),
    Layout("EPIC-Kitchens", "{participant}/videos/{video}", "video"),
    Layout("EPIC-Kitchens-55 download", "videos/{split}/{participant}/{video}", "video"),
    Layout("videos", "videos/{video}", "video"),
    Layout("participants", "{participant}/{video}", "video"),
    Layout("flat", "{video}", "video"),
)
_FLOW = (
    Layout("MM-SADA code", "flow/{participant}/{video}", "flow"),
    Layout("MM-SADA download script", "frames_rgb_flow/flow/{split}/{domain}/{video}", "flow"),
    Layout("EPIC-Kitchens-55 download", "frames_rgb_flow/flow/{split}/{participant}/{video}", "flow"),
    Layout("SimMMDG", "flow/{split}/{domain}/{video}", "flow"),
    Layout("EPIC-Kitchens", "{participant}/flow_frames/{video}", "flow"),
    Layout("participants", "{participant}/{video}", "flow among pictures"),
    Layout("Temporal Binding Network", "{video}", "flow among pictures"),
)
LAYOUTS = {
    "rgb": _PICTURES + _VIDEOS,
    "audio": _WAVS + tuple(layout._replace(kind="soundtrack") for layout in _VIDEOS),
    "flow": _FLOW,
}
"""Per modality, the layouts in the order in which they are tried, video by video.

Whether pictures are counted from 0 or 1 is no matter of the layout; `FrameReader` sees it from the smallest number.
"""


def find_places(root: Path, layouts: Iterable[Layout], videos: Iterable[EpicVideo]) -> dict[str, Place]:
    """For each video that is there, the first layout in which it is."""
    layouts = tuple(layouts)
    places = {video.video: _find(root, layouts, video) for video in videos}
    return {video: place for video, place in places.items() if place}


def _find(root: Path, layouts: Iterable[Layout], video: EpicVideo) -> Place | None:
    for layout in layouts:
        for ending in ENDINGS[layout.kind]:
            path = layout.pattern.format(**video._asdict()) + ending
            if (root / path).is_file() if ending else FOLDERS[layout.kind](root / path):
                return Place(layout, path)
    return None


@dataclass(frozen=True)
class PlacedReader:
    """One modality whose media lie in several layouts: looks up where a video lies, and asks the reader of its kind."""

    root: Path
    layouts: tuple[Layout, ...]
    places: dict[str, Place]
    readers: dict[str, Reader]
    """By kind of medium."""

    def __call__(self, media: str, windows: Sequence[Window]):
        """What the video shows in each window."""
        reader, path = self.reader_of(media)
        return reader(path, windows)

    def examine(self, media: str, thorough: bool = False) -> float:
        """How many seconds the video lasts."""
        reader, path = self.reader_of(media)
        return reader.examine(path, thorough)

    def reader_of(self, media: str) -> tuple[Reader, str]:
        """The reader of the video's kind of medium, and its path. DataError for a video that is in no layout."""
        if media not in self.places:
            looked = (" or ".join(layout.pattern + end for end in ENDINGS[layout.kind]) for layout in self.layouts)
            raise DataError(
                f"{media} was not found below {self.root}.",
                got="none of the known layouts",
                expected="one of\n              " + "\n              ".join(looked),
                remedy="Move or link its files to one of these places.",
            )
        place = self.places[media]
        return self.readers[place.layout.kind], place.path
