"""The Python door: clips as a torch dataset, networks, trained runs, and what the command line calls. See docs/python.md."""

import shlex
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from egonorm.aggregate.table import columns_of, summarise
from egonorm.core import Batch, DataError, RunError, Setting, View
from egonorm.core.errors import ArgumentError
from egonorm.core.training import Precision, WindowAverage
from egonorm.data.dataset import Clips, EvalKey, TrainKey
from egonorm.data.manifest import SPLITS, Manifest
from egonorm.data.sets import ClipSet, open_clip_set, readers_of
from egonorm.methods import Method, parse_method
from egonorm.nets.net import Net
from egonorm.runs.config import NetConfig, Run, load_trained, read_run
from egonorm.runs.presets import configure, preset_on, split_names, usual_preset
from egonorm.runs.results import Row, find_runs, is_complete, parse_selector
from egonorm.runs.run import Options, RunContext, execute, fit_standardise, measure
from egonorm.training.runtime import start_runtime

if TYPE_CHECKING:
    import pandas


class ClipDataset(Dataset):
    """Clips as a torch dataset: `clips[3]` is a `Batch` of one clip, with a row for each of its windows.

    In training each clip has one window, drawn from `(seed, epoch, uid)` with one view of it; in testing `num_windows` windows
    spread evenly. Inputs are what `net(batch.inputs)` takes. A `DataLoader` needs `collate_fn=egonorm.collate`.
    """

    def __init__(self, clips: Clips, is_training: bool, num_windows: int):
        self.clips, self.is_training, self.num_windows = clips, is_training, num_windows
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Draw the windows and views of another epoch; processes that read see it when they are started anew."""
        self.epoch = epoch

    @property
    def manifest(self) -> Manifest:
        """The clips' table."""
        return self.clips.manifest

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> Batch:
        """One clip. IndexError past the last one; negative numbers count from the end."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"There is no clip {index} among {len(self)}.")
        index %= len(self)
        key = TrainKey(index, self.epoch) if self.is_training else EvalKey(index, self.num_windows)
        batch = self.clips.prepare(self.clips[key])
        return batch if batch.labels is None or (batch.labels >= 0).all() else batch.unlabelled()


def collate(batches: Sequence[Batch]) -> Batch:
    """Several clips as one batch; where they are of several domains, its domain is their names joined with `+`.

    A batch of clips with and without labels is without labels. ArgumentError for no clips, and for clips of other modalities.
    """
    modalities = {tuple(sorted(batch.inputs)) for batch in batches}
    if len(modalities) != 1:
        raise ArgumentError(
            "The clips cannot be one batch.",
            got=" and ".join("+".join(names) for names in sorted(modalities)) or "no clips",
            expected="one clip or more, all with the same modalities",
            remedy="Give clips of one dataset.",
        )
    domains = dict.fromkeys(batch.domain for batch in batches)
    inputs = {name: torch.cat([batch.inputs[name] for batch in batches]) for name in batches[0].inputs}
    labels = [batch.labels for batch in batches if batch.labels is not None]
    known = torch.cat(labels) if len(labels) == len(batches) else None
    return Batch("+".join(domains), tuple(uid for batch in batches for uid in batch.uids), inputs, known)


class Model(nn.Module):
    """A trained run's network: `model(batch.inputs)` is a `View`.

    Attributes:
        run: the configuration that it was trained with.
        classes: the names of the columns of its logits.
        step: the training step that its weights are of.
    """

    def __init__(self, net: Net, run: Run, classes: Sequence[str], step: int):
        super().__init__()
        self.net, self.run, self.classes, self.step = net, run, tuple(classes), step

    @property
    def modalities(self) -> tuple[str, ...]:
        """The names of its streams, in the order of the pairs."""
        return tuple(self.run.net.streams)

    @property
    def setting(self) -> Setting:
        """Which domains it learned from, and which one was the target."""
        return self.run.setting

    def forward(self, inputs: Mapping[str, Tensor]) -> View:
        """Features per modality, fused logits and each modality's own."""
        return self.net(inputs)

    def features(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Per modality, the feature before dropout: `clip feature`."""
        return self.net.features(inputs)


@dataclass(frozen=True)
class Data:
    """Clips that were opened: their table, their domains and classes, and torch datasets of them."""

    source: str
    """`KIND:PATH`."""
    clip_set: ClipSet

    @property
    def manifest(self) -> Manifest:
        """The table of all clips."""
        return self.clip_set.manifest

    @cached_property
    def domains(self) -> tuple[str, ...]:
        """The names of the places."""
        return self.manifest.domains

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the actions; a clip's label is its number among them."""
        return self.manifest.classes

    def clips(
        self,
        split: str = "train",
        domains: Sequence[str] | str | None = None,
        preset: str | NetConfig | Model | None = None,
        *,
        modalities: str | Sequence[str] | None = None,
        num_windows: int = 1,
        seed: int = 0,
    ) -> ClipDataset:
        """The clips of a split as a torch dataset, as a network sees them.

        Args:
            split: "train" draws a window and a view for each epoch; any other shows `num_windows` even windows.
            domains: some of `domains`, or one; all of them when None.
            preset: a preset's name, the network of a run, or a model, whose inputs and classes these are; None takes the usual
                preset.
            modalities: names, in a sequence or with commas between them; all of the network's when None.

        Raises:
            DataError: for a split or domain without clips, or media of another kind.
            ArgumentError: for a number of windows below 1.
        """
        if not isinstance(num_windows, int) or num_windows < 1:
            raise ArgumentError(
                "num_windows cannot be used.", got=repr(num_windows), expected="1 or more", remedy="Correct it."
            )
        wanted = self.domains if domains is None else (domains,) if isinstance(domains, str) else tuple(domains)
        chosen = self.select(wanted, split).with_classes(preset.classes if isinstance(preset, Model) else self.classes)
        net = self._net(preset, modalities)
        inputs = {name: stream.input for name, stream in net.streams.items()}
        clips = Clips(chosen, readers_of(self.clip_set, inputs), inputs, net.span, seed)
        return ClipDataset(clips, split == "train", num_windows)

    def select(self, domains: Sequence[str], split: str) -> Manifest:
        """The clips of some domains and a split. DataError where there are none, or no such domain."""
        unknown = [name for name in domains if name not in self.domains]
        chosen = self.manifest.select(domains, split) if split in SPLITS and not unknown else None
        if not chosen:
            raise DataError(
                f"{self.source} has no clips of split {split!r} in {', '.join(domains) or 'no domain'}.",
                got=f"split {split!r}, domains {', '.join(domains) or 'none'}",
                expected=f"a split among {', '.join(SPLITS)} with clips, domains among {', '.join(self.domains)}",
                remedy="Correct split or domains.",
            )
        return chosen

    def _net(self, preset: str | NetConfig | Model | None, modalities: str | Sequence[str] | None) -> NetConfig:
        if isinstance(preset, Model):
            net = preset.run.net
        elif isinstance(preset, NetConfig):
            net = preset
        else:
            parts = preset_on(self.source, usual_preset(self.source, preset))
            return parts.net if modalities is None else parts.choose(split_names(modalities))
        return net if modalities is None else net.choose(split_names(modalities))


def open_data(source: str) -> Data:
    """Open `KIND:PATH`, for example `folder:clips`. DataError when it cannot be read."""
    _need("source", source, (str,), "'folder:clips'")
    return Data(source, open_clip_set(source))


def build_net(
    preset: str | NetConfig = "small",
    *,
    classes: Sequence[str] | int,
    modalities: str | Sequence[str] | None = None,
    data: Data | None = None,
    sources: Sequence[str] | str = (),
    seed: int = 0,
) -> Net:
    """A network with its first weights, the same for the same seed; published weights are loaded where the preset names some.

    Args:
        preset: a preset's name, or the network of a run (`read_run(folder).net`).
        classes: their names, or how many there are.
        data: for the preset `features`, whose modalities and sizes the stored features decide.
        sources: of these data, the domains whose training clips standardise the features' columns; without any, features are
            taken as they are.
    """
    number = classes if isinstance(classes, int) else len(classes)
    if number < 1 or isinstance(classes, str):
        raise ArgumentError(
            "classes cannot be used.",
            got=repr(classes),
            expected="the names of the classes, or how many there are: 1 or more",
            remedy="Give data.classes, or a number.",
        )
    if isinstance(preset, str):
        parts = preset_on("" if data is None else data.source, preset)
        net = parts.net if modalities is None else parts.choose(split_names(modalities))
    else:
        net = preset if modalities is None else preset.choose(split_names(modalities))
    built = net.build(number, seed=seed, pretrained=True)
    if data is not None and sources:
        wanted = (sources,) if isinstance(sources, str) else tuple(sources)
        fit_standardise(built, net, data.clip_set, data.select(wanted, "train"))
    return built


def load(folder: str | Path, step: int | None = None) -> Model:
    """The network of a finished run, in evaluation; of its last step unless another kept one is named.

    Raises:
        RunError: for a folder that is no run, an unfinished run, a step that was not kept, or an encoder that is not here.
    """
    _need("folder", folder, (str, Path), "'runs/rna-…'")
    _need("step", step, (int, NoneType), "500")
    folder = Path(folder)
    run = read_run(folder)
    if not is_complete(folder):
        raise RunError(
            f"{folder} is not finished.",
            got="a run whose results are not complete",
            expected="a run that was trained and judged to its end",
            remedy=f"Finish it: {shlex.join(['egonorm', 'train', '--resume', str(folder)])}",
        )
    step = run.optim.steps if step is None else step
    net, classes = load_trained(folder, run, step)
    return Model(net, run, classes, step).eval()


def train(
    data: str,
    setting: Setting | str,
    method: Method | str,
    *,
    preset: str | None = None,
    seed: int = 0,
    out: str | Path = "runs",
    device: str = "auto",
    precision: Precision = "float32",
    workers: int = 0,
    skip_broken: bool = False,
    **changes: Any,
) -> Path:
    """Train a method on the sources of a setting, and judge it on every domain that the setting names: the run's folder.

    Args:
        method: an object, or its name as on the command line: `rna`, `rna:weight=0.5`, `package.module:Class`.

    A run that was begun goes on, a finished one is left as it is. Every further option of `egonorm train` is taken by its name
    (`steps`, `batch`, `lr`, `modalities`, ...). A script that reads with `workers` calls this under `if __name__ == "__main__":`.
    """
    _need("data", data, (str,), "'folder:clips'")
    _need("setting", setting, (str, Setting), "'dg1:D1:D2'")
    _need("method", method, (str, Method), "'rna:weight=0.5'")
    _need("out", out, (str, Path), "'runs'")
    method = parse_method(method) if isinstance(method, str) else method
    run = configure(data, str(setting), method, usual_preset(data, preset), seed, precision, **changes)
    folder = Path(out) / run.name
    train_run(run, folder, device, Options(workers, skip_broken))
    return folder


def train_run(run: Run, folder: Path, device: str, options: Options) -> bool:
    """Train and judge a run in its folder; whether this process is the one that speaks."""
    with start_runtime(device, run.precision) as runtime:
        execute(RunContext(run, folder, runtime, options))
        return runtime.is_first


def evaluate(
    folder: str | Path,
    domain: str | None = None,
    *,
    data: str | None = None,
    device: str = "auto",
    workers: int = 0,
    skip_broken: bool = False,
) -> "pandas.DataFrame":
    """Judge a trained run on a domain's test clips, the target's without a name, and store the numbers with it: its `table`.

    Args:
        data: `KIND:PATH` of the clips, when they have moved since the training.
    """
    _need("folder", folder, (str, Path), "'runs/rna-…'")
    _need("domain", domain, (str, NoneType), "'D2'")
    folder = Path(folder)
    evaluate_run(read_run(folder), folder, domain, data, device, Options(workers, skip_broken))
    return table(folder)


def evaluate_run(
    run: Run,
    folder: Path,
    domain: str | None,
    data: str | None,
    device: str,
    options: Options,
    average: WindowAverage | None = None,
) -> list[Row]:
    """Judge a trained run on a domain: the rows, for the process that speaks; none for the others."""
    here = run if data is None else replace(run, data=data)
    with start_runtime(device, run.precision) as runtime:
        rows = measure(RunContext(here, folder, runtime, options), domain or run.setting.target, average)
        return rows if runtime.is_first else []


def table(runs: str | Path, select: str = "last-mean:9") -> "pandas.DataFrame":
    """What `egonorm table` prints of a folder of runs, as a frame: accuracies, deviations over seeds, intervals, gains and p.

    Args:
        select: which checkpoints speak for a run: `last-mean:K`, `last`, `best-on-source` or `oracle`.

    Runs that are not complete or cannot be used are left out: a warning names them, with the reason.

    Raises:
        RunError: when no run is complete.
    """
    _need("runs", runs, (str, Path), "'runs'")
    _need("select", select, (str,), "'last-mean:9'")
    import pandas  # half a second that only frames need

    found = summarise(find_runs(Path(runs)), parse_selector(select), select)
    if found.left_out:
        warnings.warn(found.left_out, stacklevel=2)
    return pandas.DataFrame(columns_of(found))


def _need(name: str, given: object, kinds: tuple[type, ...], example: str) -> None:
    """Refuse an argument of another type than these."""
    if not isinstance(given, kinds) or isinstance(given, bool):
        raise ArgumentError(
            f"{name} cannot be used.",
            got=f"{given!r}, a {type(given).__name__}",
            expected=" or ".join("None" if kind is NoneType else kind.__name__ for kind in kinds),
            remedy=f"Write for example {name}={example}.",
        )
