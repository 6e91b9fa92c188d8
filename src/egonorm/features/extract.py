"""Features of every clip of some data, computed once: decode, encode, store, go on where it stopped."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

import egonorm
from egonorm.core import DataError, RunError
from egonorm.core.files import parse_json
from egonorm.core.progress import bar
from egonorm.core.shard import Shard
from egonorm.core.text import say
from egonorm.data.check import LEFT_OUT, Problem, describe_problems, screen, write_left_out
from egonorm.data.dataset import Clips
from egonorm.data.loader import evaluation_batches
from egonorm.data.manifest import Manifest
from egonorm.data.readers.protocol import Reader
from egonorm.data.sets import open_clip_set, readers_of
from egonorm.data.sets.features.store import (
    DESCRIPTION,
    Description,
    Modality,
    read_description,
    write_description,
    write_features,
)
from egonorm.data.windows import even_windows
from egonorm.features.encoders import Encoders
from egonorm.features.shards import Parts, claim_store, joining, num_clips, refuse_other_features, take
from egonorm.nets.layers import fuse_bn
from egonorm.runs.run import Options
from egonorm.training.runtime import Runtime, kept_heap

CLIPS = 32
"""The least number of clips in a part."""


@dataclass(frozen=True)
class Extraction:
    """What is to be computed, where to and how."""

    data: str
    """`KIND:PATH`."""
    folder: Path
    encoders: Encoders
    runtime: Runtime
    num_windows: int = 5
    """Windows of a clip, evenly spread as in testing."""
    batch: int = 16
    """Windows that are computed together, in whole clips."""
    shard: Shard = field(default_factory=Shard)
    options: Options = field(default_factory=Options)

    def __post_init__(self):
        for name, value in {"windows": self.num_windows, "batch": self.batch}.items():
            if value < 1:
                raise RunError(
                    f"--{name} cannot be used.", got=value, expected="1 or more", remedy=f"Correct --{name}."
                )

    def identity(self, manifest: Manifest) -> dict[str, object]:
        """All that decides the numbers."""
        return {
            "clips": manifest.digest(),
            "span": asdict(self.encoders.span),
            "num_windows": self.num_windows,
            "batch": self.batch,
            "precision": self.runtime.precision,
            "modalities": {name: stream.identity() for name, stream in self.encoders.streams.items()},
        }

    def parts(self, manifest: Manifest) -> Parts:
        """The parts, of a whole number of batches, so that no batch depends on where the work was cut."""
        clips = max(1, self.batch // self.num_windows)
        return Parts(self.folder, len(manifest), -(-CLIPS // clips) * clips)


def extract(job: Extraction) -> Description | None:
    """Compute what is missing of this shard, and join all parts if none is missing any more.

    Returns:
        What the finished store is; None while parts of other shards are missing.

    Raises:
        DataError: before anything starts, for data that cannot be used.
        RunError: for a folder of other features, or when writing fails.
    """
    data = open_clip_set(job.data)
    if _is_finished(job):
        return _finished(job, data.manifest)
    readers = readers_of(data, {name: one.stream.input for name, one in job.encoders.streams.items()})
    manifest, problems = _screened(job, data.manifest, readers)
    shard, parts = job.shard.split(job.runtime.rank, job.runtime.num_ranks), job.parts(manifest)
    with claim_store(job.folder, job.identity(manifest) | {"clips_a_part": parts.size}, shard):
        _compute(job, manifest, readers, parts, shard)
    job.runtime.wait()
    with joining(job.folder):
        if not _is_finished(job) and not parts.missing(Shard()):
            _join(job, manifest, parts, problems)
    return _finished(job, data.manifest) if _is_finished(job) else None


def _is_finished(job: Extraction) -> bool:
    return (job.folder / DESCRIPTION).exists()


def _finished(job: Extraction, manifest: Manifest) -> Description:
    """What a finished store is, when it is this job's; leftovers of its making are removed."""
    about = read_description(job.folder)
    usable = manifest.without(_left_out(job.folder / LEFT_OUT))
    refuse_other_features(job.folder, about.made, job.identity(usable))
    job.parts(usable).remove()
    return about


def _left_out(listing: Path) -> set[str]:
    """The clips that a store went without."""
    try:
        found = parse_json(listing.read_text()) if listing.exists() else []
        return {uid for entry in found for uid in entry["clips"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{listing} cannot be read.",
            got=f"{type(error).__name__}: {error}",
            expected="the list of the clips that the features go without, as egonorm extract wrote it",
            remedy="Bring it back, or extract the features again in another folder.",
        ) from None


def _screened(
    job: Extraction, manifest: Manifest, readers: Mapping[str, Reader]
) -> tuple[Manifest, tuple[Problem, ...]]:
    with bar("Examining media", job.runtime.is_first) as progress:
        usable, problems = screen(manifest, readers, job.options.skip_broken, progress)
    if problems and job.runtime.is_first:
        say(f"Left out:\n{describe_problems(problems)}")
    if not len(usable):
        raise DataError(
            f"{job.data} has no usable clips.",
            got=f"{len(manifest)} clips, all of broken media",
            expected="clips whose media are whole",
            remedy="Mend the media.",
        )
    return usable, problems


def _compute(job: Extraction, manifest: Manifest, readers: Mapping[str, Reader], parts: Parts, shard: Shard) -> None:
    """Compute and write the parts of a shard that are missing."""
    todo = parts.missing(shard)
    numbers = [number for part in todo for number in parts.clips(part)]
    if not todo:
        return
    together = tuple(replace(manifest.clips[number], domain="all") for number in numbers)
    found = _features(job, Manifest(together, manifest.declared), readers)
    with bar(f"Extracting {', '.join(job.encoders.streams)}", job.runtime.is_first) as progress:
        rows = _counted(found, len(numbers), progress)
        for part in todo:
            parts.write(part, take(rows, len(parts.clips(part))))


def _features(job: Extraction, manifest: Manifest, readers: Mapping[str, Reader]) -> Iterator[dict[str, Tensor]]:
    """Batch after batch, each modality's features by `clip window feature`."""
    inputs = {name: one.stream.input for name, one in job.encoders.streams.items()}
    clips, net = Clips(manifest, readers, inputs, job.encoders.span), fuse_bn(job.encoders.net()).to(job.runtime.device)
    batches = evaluation_batches(clips, job.num_windows, job.batch, job.options.workers, job.runtime.device)
    with kept_heap(job.runtime.device):
        for (batch,) in batches:
            with torch.inference_mode(), job.runtime.autocast():
                found = net.features(batch.inputs)
            for name, x in found.items():
                _check_finite(name, x, batch.uids)
            yield {name: x.cpu().unflatten(0, (-1, job.num_windows)) for name, x in found.items()}


def _check_finite(modality: str, features: Tensor, uids: Sequence[str]) -> None:
    broken = (~features.isfinite().all(dim=1)).tolist()
    if any(broken):
        names = dict.fromkeys(uid for uid, is_broken in zip(uids, broken, strict=True) if is_broken)
        raise RunError(
            f"The encoder of {modality} gives numbers that are not finite.",
            got=f"clips {', '.join(names)}",
            expected="finite features",
            remedy="Take other weights, or --precision float32.",
        )


def _counted(
    rows: Iterator[dict[str, Tensor]], total: int, progress: Callable[[int, int], None]
) -> Iterator[dict[str, Tensor]]:
    """The same features, with the progress told in clips."""
    done = 0
    for found in rows:
        done += num_clips(found)
        progress(done, total)
        yield found


def _join(job: Extraction, manifest: Manifest, parts: Parts, problems: Sequence[Problem]) -> None:
    """Write the store from its parts; its description last."""
    span, modalities = job.encoders.span, {}
    windows = [even_windows(clip.start, clip.stop, span, job.num_windows) for clip in manifest.clips]
    start = torch.tensor([[window.start for window in several] for several in windows], dtype=torch.float64)
    for name, stream in job.encoders.streams.items():
        features = parts.joined(name)
        write_features(job.folder, name, features, start)
        learnt = stream.trained_on.learnt_in(job.data, manifest) if stream.trained_on else ()
        modalities[name] = Modality(features.shape[2], stream.network, stream.source, learnt)
    if problems:
        write_left_out(job.folder / LEFT_OUT, problems)
    made = job.identity(manifest) | {"egonorm": egonorm.__version__}
    about = Description(modalities, span, job.num_windows, manifest.declared, manifest.digest(), job.data, made)
    write_description(job.folder, about, manifest)
