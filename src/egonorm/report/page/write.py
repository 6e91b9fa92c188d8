"""A report on disk: one file that holds the whole page, and beside it the figures and the numbers as files of their own."""

from collections import Counter
from pathlib import Path

from egonorm.report.page.model import Choice, Grid, Matrix, Page, Player
from egonorm.report.page.output_dir import write_report
from egonorm.report.page.render import Drawn, data_of, encoded, render, stem
from egonorm.report.style import Exhibit, jpeg_of, png_of, svg_of


def write_page(page: Page, out: Path) -> Path:
    """Write the page as `out/index.html`, its figures to `out/figures` and their numbers to `out/data`; the page's path.

    The page needs none of the other files, and no network.

    Raises:
        RunError: when `out` holds other things than an earlier report, or cannot be written; nothing is removed then.
    """
    _refuse_twice(page)
    drawn = {part.name: _draw(part) for part in page.parts() if isinstance(part, Exhibit) and part.figure is not None}
    files = {
        f"figures/{stem(name)}.{kind}": content for name, one in drawn.items() for kind, content in one.files().items()
    }
    numbers = [part for part in page.parts() if isinstance(part, Exhibit | Grid | Matrix)]
    files |= {f"data/{stem(part.name)}.csv": encoded(content) for part in numbers if (content := data_of(part))}
    files["index.html"] = encoded(render(page, drawn))
    write_report(out, files)
    return out / "index.html"


def _draw(exhibit: Exhibit) -> Drawn:
    assert exhibit.figure is not None
    if exhibit.is_picture:
        return Drawn(jpeg=jpeg_of(exhibit.figure))
    return Drawn(svg_of(exhibit.figure, stem(exhibit.name), exhibit.title), png_of(exhibit.figure))


def _refuse_twice(page: Page) -> None:
    """Names are places: two things of one name would be one file and one target of links."""
    named = (part.name for part in page.parts() if isinstance(part, Exhibit | Grid | Matrix | Player | Choice))
    counts = Counter([*named, *(tab.name for tab in page.tabs)])
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise ValueError(f"A page needs one name for each of its parts; these are several parts': {twice}.")
