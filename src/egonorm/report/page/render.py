"""The page as one HTML file: templates, style and script in it, and a still picture for each player."""

import hashlib
import io
import math
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

import av
import simplejpeg
from av.error import FFmpegError
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from egonorm.core.files import fitting
from egonorm.core.text import printable
from egonorm.report.page.model import Grid, Matrix, Page
from egonorm.report.style import Exhibit


@dataclass(frozen=True)
class Drawn:
    """A figure in the forms that a page and its folder need: lines, or pixels alone for one made of photographs."""

    svg: str = ""
    png: bytes = b""
    jpeg: bytes = b""

    def files(self) -> dict[str, bytes]:
        """The forms that there are, by the endings of their files."""
        found = {"svg": encoded(self.svg), "png": self.png, "jpg": self.jpeg}
        return {ending: content for ending, content in found.items() if content}


def render(page: Page, drawn: Mapping[str, Drawn]) -> str:
    """The page as one file of HTML; `drawn` has each exhibit's figure by its name."""
    environment = _environment()
    script = _text(environment, "page.js")
    environment.globals |= {
        "drawn": drawn,
        "style": Markup(_text(environment, "page.css")),
        "script": Markup(script),
        "script_hash": "sha256-" + b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }
    return environment.get_template("page.html").render(page=page)


def stem(name: str) -> str:
    """A name as part of a file's name and as a place in a page: other names have other stems.

    Characters other than letters, digits and dashes become their numbers; what would be too long for a file ends in a digest.
    """
    safe = re.sub(r"[^A-Za-z0-9-]", lambda found: f"_{ord(found[0]):x}_", name) or "_"
    return fitting(safe)


def encoded(text: str) -> bytes:
    """A text as a file holds it, with question marks for what no file can hold, such as parts of names that are not UTF-8."""
    return text.encode("utf-8", "replace")


def data_of(part: Exhibit | Grid | Matrix) -> str:
    """The numbers of a part as CSV; empty where a figure has none."""
    return "" if isinstance(part, Exhibit) and not part.header else part.csv()


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("egonorm.report.page"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "kind": lambda part: type(part).__name__.lower(),
        "stem": stem,
        "data_of": data_of,
        "uri": _uri,
        "poster": poster,
        "drawing": Markup,
        "number": _number,
    }
    return environment


def _shown(value: object) -> object:
    """What an expression of a template gives, as the page shows it; what is markup already is our own."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _text(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _uri(content: bytes | str, kind: str) -> str:
    """The content as an address that holds it."""
    content = encoded(content) if isinstance(content, str) else content
    return f"data:{kind};base64,{b64encode(content).decode()}"


def _number(value: float | None) -> str | None:
    """A number as scripts read it; None for what has no place in an order."""
    return None if value is None or not math.isfinite(value) else repr(float(value))


def poster(video: bytes) -> bytes:
    """The middle picture of an MP4 as JPEG; nothing for a video without pictures, or one that is damaged."""
    try:
        with av.open(io.BytesIO(video), "r") as container:
            pictures = list(container.decode(video=0)) if container.streams.video else []
    except (FFmpegError, ValueError):
        return b""
    if not pictures:
        return b""
    pixels = pictures[len(pictures) // 2].to_ndarray(format="rgb24")
    return simplejpeg.encode_jpeg(pixels, quality=80, colorspace="RGB")
