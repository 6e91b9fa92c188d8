"""Videos that stay open: who reads many clips of a file, here and there, opens it once."""

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from egonorm.data.readers.container import Track, check_file, explained, opened

MOST = 16
"""Videos that a process keeps open; a decoder of pictures of 1920 x 1080 holds some 20 MB."""

_SHELF: OrderedDict[tuple, Track] = OrderedDict()
"""The videos that nobody reads now, the longest unused first."""

os.register_at_fork(after_in_child=_SHELF.clear)  # processes that share an open file share the place where it is read


@contextmanager
def kept_video(path: Path) -> Iterator[Track]:
    """A video as `open_track` opens it, standing anywhere: to jump in, not to read from its beginning.

    Who reads has it alone. A file that has changed is opened anew; so is one that could not be read. Sound is not kept: some of
    its decoders remember what they decoded before a jump, AAC's the noise that it drew.
    """
    check_file(path)
    status = path.stat()
    key = (str(path), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    with explained(path):
        track = _SHELF.pop(key, None) or opened(path, "video")
        try:
            yield track
        except BaseException:
            track.container.close()
            raise
    _SHELF[key] = track
    while len(_SHELF) > MOST:
        _SHELF.popitem(last=False)[1].container.close()
