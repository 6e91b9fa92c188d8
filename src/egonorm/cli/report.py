"""The verbs that show what runs did: report and cam."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from egonorm.cli.words import named
from egonorm.core import RunError
from egonorm.core.files import write_atomically
from egonorm.core.progress import bar
from egonorm.core.text import say
from egonorm.core.training import FUSED
from egonorm.export.save import Saver
from egonorm.export.saved_clip import file_name
from egonorm.runs.results import last, read_records


@dataclass(frozen=True)
class Report:
    """Make one page of runs: the result, what a method changed, where it looks and fails, with figures and their numbers."""

    runs: tyro.conf.Positional[Path]
    """The folder that was given to --out of train or bench, or one run."""
    out: Path = Path("report")
    """The folder of the page; an earlier report there is replaced."""
    method: Annotated[str | None, named("NAME")] = None
    """What is compared with source-only; without it, rna if there are runs of it, else the first other method."""
    select: str = "last-mean:9"
    """Which checkpoints speak for a run: last-mean:K, last, best-on-source or oracle."""
    clips: int = 2
    """Clips of each kind and shift: whose score rose most, fell most, and each side's surest mistakes. 0 saves none."""

    def __call__(self) -> None:
        from egonorm.report.build import make_report

        if self.clips < 0:
            raise RunError("--clips cannot be used.", got=self.clips, expected="0 or more", remedy="Correct --clips.")
        with bar("Saving clips", self.clips > 0) as progress:
            page = make_report(self.runs, self.out, self.method, self.select, self.clips, progress)
        say(f"{page} ({page.stat().st_size / 1e6:.1f} MB); open it in a browser.")


@dataclass(frozen=True)
class Cam:
    """Draw where a run looks and listens in one clip, for a paper: its activation maps over frames and spectrogram."""

    run: tyro.conf.Positional[Path]
    """The folder of a run."""
    clip: Annotated[str, named("UID")]
    """Which clip: its uid in the data's table."""
    beside: Annotated[Path | None, tyro.conf.arg(name="with", metavar="RUN")] = None
    """Another run to be drawn below it, with RNA-Net for example."""
    logit: Annotated[str, named("fused|MODALITY")] = FUSED
    """What is asked for the class: the decision over all modalities, or one modality alone."""
    of: Literal["true", "answer"] = "true"
    """Whose maps: those of the true class, or of the class that each run answers."""
    out: Annotated[Path | None, named("FILE")] = None
    """Where to draw it: .png, .svg, .pdf or .jpg; without it a .png here, named after run and clip."""

    def __call__(self) -> None:
        from egonorm.report.figures.saliency import cam_figure, draw_maps

        out = self.out or Path(f"cam-{self.run.resolve().name}-{file_name(self.clip)}.png")
        if out.suffix not in (".png", ".svg", ".pdf", ".jpg"):
            raise RunError(
                "--out cannot be used.",
                got=out,
                expected="a file that ends in .png, .svg, .pdf or .jpg",
                remedy="Give it one of these endings.",
            )
        folders = [self.run] if self.beside is None else [self.run, self.beside]
        saved = [Saver(read_records([folder], last)[0][0]).save(self.clip) for folder in folders]
        write_atomically(out, draw_maps(cam_figure(saved, logit=self.logit, of=self.of), out.suffix))
        say(str(out))
