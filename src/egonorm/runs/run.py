"""One run from its configuration to its rows: open the data, check it, train, judge the last checkpoints, write rows."""

import io
import json
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, TextIO, cast

import numpy as np

from egonorm.core import Batch, DataError, NotFiniteError, RunError
from egonorm.core.files import saving, write_atomically
from egonorm.core.progress import bar
from egonorm.core.text import say
from egonorm.core.training import WindowAverage, seed_for
from egonorm.data.check import (
    LEFT_OUT,
    Problem,
    class_problems,
    describe_problems,
    describe_unlabelled,
    needed,
    refuse_empty,
    screen,
    write_left_out,
)
from egonorm.data.dataset import Clips
from egonorm.data.loader import evaluation_batches, training_batches
from egonorm.data.manifest import Manifest
from egonorm.data.readers.protocol import Reader
from egonorm.data.sets import ClipSet, FeatureSet, open_clip_set, readers_of, refuse_learnt
from egonorm.data.transforms import FeatureInput
from egonorm.methods import check
from egonorm.methods.base import target_moments
from egonorm.metrics import dead_streams, describe_dead
from egonorm.nets.layers import Standardise, fuse_bn_in_place
from egonorm.nets.net import Net, network_of, read_metadata
from egonorm.runs.config import CHECKPOINTS, NetConfig, Run, load_trained, prediction_files, predictions_of
from egonorm.runs.directory import claim, note_start, refuse_other
from egonorm.runs.results import (
    COMPLETE,
    STOPPED,
    Row,
    changing_rows,
    confirm_rows,
    is_complete,
    note_stop,
    read_rows,
    steps,
    write_rows,
)
from egonorm.runs.reuse import take_over
from egonorm.runs.train_log import LOG
from egonorm.training.adapt import OnlineAdaptation, adapt_to_all
from egonorm.training.checkpoint import Checkpoints
from egonorm.training.engine import (
    CLASSES_EVERY,
    Objective,
    Predictions,
    StepStats,
    judge,
    of_classes,
    of_domains,
    train_steps,
)
from egonorm.training.optimizer import freeze, make_optimizer
from egonorm.training.runtime import Runtime


@dataclass(frozen=True)
class Options:
    """What a run does without changing its numbers."""

    workers: int = 0
    """Processes that read clips; 0 reads in the training process."""
    skip_broken: bool = False
    """Leave out clips whose media are missing or broken, instead of refusing to start."""
    quiet: bool = False
    """Show no progress; one of many runs side by side."""

    def __post_init__(self):
        if self.workers < 0:
            raise RunError("--workers cannot be used.", got=self.workers, expected="0 or more", remedy="Correct it.")


@dataclass(frozen=True)
class RunContext:
    """A run, its folder, where it runs and how."""

    run: Run
    folder: Path
    runtime: Runtime
    options: Options
    reuse: Path | None = None
    """The folder of a run that trains alike and has done so (`reuse.py`)."""

    @property
    def checkpoints(self) -> Checkpoints:
        """The run's checkpoints on disk."""
        kept = self.run.evaluation
        return Checkpoints(self.folder / CHECKPOINTS, self.run.optim.steps, kept.every, kept.keep)

    @property
    def shows_progress(self) -> bool:
        """Whether this process tells a person how the run goes."""
        return self.runtime.is_first and not self.options.quiet

    @property
    def target_moments(self) -> frozenset[str]:
        """When the method sees unlabelled clips of the target: of {"training", "after", "test"}."""
        return target_moments(self.run.method, self.run.setting)

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The domains whose training clips are needed, sources first."""
        setting = self.run.setting
        return setting.domains if self.target_moments & {"training", "after"} else setting.sources

    def readers(self, data: ClipSet) -> dict[str, Reader]:
        """The readers of the network's modalities."""
        return readers_of(data, {name: stream.input for name, stream in self.run.net.streams.items()})

    def clips(
        self, manifest: Manifest, readers: Mapping[str, Reader], unlabelled: frozenset[str] = frozenset()
    ) -> Clips:
        """Clips as the network sees them."""
        inputs = {name: stream.input for name, stream in self.run.net.streams.items()}
        return Clips(manifest, readers, inputs, self.run.net.span, self.run.seed, unlabelled)

    def screened(
        self, manifest: Manifest, readers: Mapping[str, Reader], listing: str
    ) -> tuple[Manifest, tuple[Problem, ...]]:
        """The usable clips, and what is wrong with the others. A list in the folder is a decision."""
        told = manifest.within({"train": self.run.setting.sources, "test": manifest.domains})
        known = class_problems(told)  # nobody looks at the labels of a target's training clips
        decided = self.options.skip_broken or (self.folder / listing).exists()
        with bar("Examining media", self.shows_progress) as progress:
            return screen(manifest, readers, decided, progress, known)

    def note_left_out(self, problems: tuple[Problem, ...], listing: str) -> None:
        """Say what is left out, on the terminal and in a file of the folder."""
        if self.runtime.is_first and problems:
            write_left_out(self.folder / listing, problems)
        if self.shows_progress and problems:
            say(f"Left out, and listed in {self.folder / listing}:\n{describe_problems(problems)}")


Judged = dict[int, Predictions]
"""What each checkpoint says of a domain's test clips, by its step."""


def judge_domain(context: RunContext, manifest: Manifest, readers: Mapping[str, Reader], domain: str) -> Judged:
    """What every checkpoint that was kept says of one domain's test clips."""
    run, runtime = context.run, context.runtime
    windows, tests = run.evaluation.num_windows, context.clips(manifest.select([domain], "test"), readers)
    nets = _load(context)
    moments = context.target_moments if domain == run.setting.target else frozenset()
    if "after" in moments:
        _adapt(context, manifest.select([domain], "train"), readers, nets)
    adapts = _adaptations(context, nets, domain) if "test" in moments else {}
    nets = nets if adapts else {step: fuse_bn_in_place(net) for step, net in nets.items()}
    rank, num_ranks = (0, 1) if adapts else (runtime.rank, runtime.num_ranks)
    batches = evaluation_batches(
        tests, windows, run.optim.batch, context.options.workers, runtime.device, rank, num_ranks
    )
    with bar(f"Testing {run.method.name()} on {domain}", context.shows_progress) as progress:
        counted = _counted(batches, len(tests), num_ranks / windows, progress)
        found = judge(nets, counted, run.evaluation, runtime, adapts)
    _tell_dead(context, domain, found, manifest.classes)
    return found


def _rows_from(context: RunContext, domain: str, judged: Judged, classes: tuple[str, ...]) -> list[Row]:
    """The rows of what was found on a domain."""
    return [
        make_row(context, step, domain, metric, value, n)
        for step, predictions in judged.items()
        for metric, (value, n) in predictions.measure(classes).items()
    ]


def _tell_dead(context: RunContext, domain: str, found: Mapping[int, Predictions], classes: Sequence[str]) -> None:
    """Say which streams are dead on a domain, by the mean over the checkpoints."""
    measured = [predictions.measure(classes) for predictions in found.values()]
    mean = {metric: (fmean(of[metric][0] for of in measured), n) for metric, (_, n) in measured[-1].items()}
    dead = dead_streams(mean)
    if dead and context.shows_progress:
        say(f"Streams that are dead, or not told from chance, on {domain}: {describe_dead(dead)}.")


def _store(context: RunContext, judged: Mapping[str, Judged], classes: tuple[str, ...], is_whole: bool) -> None:
    """Write what was found on domains, and put its rows among those of others; the first process alone does it.

    Rows of other domains stay, whoever has written them in the meantime.

    Args:
        is_whole: whether the run is complete with this; what is there then stays only if it is of networks that count, and whole.
    """
    if not context.runtime.is_first:
        return
    with changing_rows(context.folder):
        before, damage = _rows_of(context)
        if damage is not None and not is_whole:
            raise damage
        kept = context.checkpoints.saved() if is_whole else steps(before)
        rows = [row for row in before if row.metric != COMPLETE and row.domain not in judged and row.step in kept]
        last = [row for row in before if row.metric == COMPLETE]
        for domain, found in judged.items():
            for step, predictions in found.items():
                _write(predictions_of(context.folder, step, domain), predictions, classes)
            rows += _rows_from(context, domain, found, classes)
        if is_whole:
            last = [make_row(context, context.run.optim.steps, context.run.setting.target, COMPLETE, 1.0, 0)]
        write_rows(context.folder, [*rows, *last])


def _rows_of(context: RunContext) -> tuple[tuple[Row, ...], RunError | None]:
    """The rows that are there; or none, and what is wrong with them."""
    try:
        rows = read_rows(context.folder)
        confirm_rows(context.folder, context.run.setting, rows)
    except RunError as error:
        return (), error
    return rows, None


def _adapt(context: RunContext, target: Manifest, readers: Mapping[str, Reader], nets: Mapping[int, Net]) -> None:
    """Let the method change each network by the target's training clips; every process shows it all of them."""
    unseen = context.clips(target, readers, unlabelled=frozenset(target.domains))
    run, runtime = context.run, context.runtime
    windows, batch = run.evaluation.num_windows, run.optim.batch
    for step, net in nets.items():
        batches = evaluation_batches(unseen, windows, batch, context.options.workers, runtime.device)
        seed = seed_for(run.seed, "adapt", step)
        adapt_to_all(run.method.adapt, net, (batch for (batch,) in batches), runtime, seed)


def _adaptations(context: RunContext, nets: Mapping[int, Net], domain: str) -> dict[int, OnlineAdaptation]:
    """For each network, what changes it by the batches that it is judged on."""
    adapt, seed, runtime = context.run.method.adapt, context.run.seed, context.runtime
    return {
        step: OnlineAdaptation(adapt, net, runtime, seed_for(seed, "adapt", step, domain)) for step, net in nets.items()
    }


def make_row(context: RunContext, step: int, domain: str, metric: str, value: float, n: int) -> Row:
    """A number of this context."""
    run = context.run
    return Row(
        context.folder.resolve().name,
        run.method.name(),
        str(run.setting),
        run.seed,
        step,
        "test",
        domain,
        metric,
        value,
        n,
    )


def _load(context: RunContext) -> dict[int, Net]:
    """The kept networks by step."""
    nets, net = {}, None
    for step in context.checkpoints.saved():
        net, _ = load_trained(context.folder, context.run, step, like=net)
        nets[step] = net.to(context.runtime.device)
    return nets


def _learnt(context: RunContext) -> tuple[str, ...]:
    """The classes that the run was trained on."""
    step = context.checkpoints.saved()[-1]
    return tuple(read_metadata(network_of(context.folder / CHECKPOINTS, step), "classes")["classes"])


def _counted(batches, total: int, clips_a_window: float, progress) -> Iterator[tuple[Batch, ...]]:
    """The same batches, with the progress told in clips, over all processes."""
    done = 0.0
    for seen in batches:
        yield seen
        done += len(seen[0]) * clips_a_window
        progress(min(round(done), total), total)


def _write(path: Path, predictions: Predictions, classes: tuple[str, ...]) -> None:
    arrays = {f"scores/{name}": x for name, x in predictions.scores.items()}
    arrays |= {f"norms/{name}": x for name, x in predictions.norms.items()}
    uids, labels = np.array(predictions.uids), predictions.labels
    file = io.BytesIO()
    named: dict[str, Any] = {"uids": uids, "labels": labels, "classes": np.array(classes), **arrays}
    np.savez_compressed(file, **named)
    write_atomically(path, file.getvalue())


SPARE = 30.0
"""Seconds of training that a kill may cost: checkpoints that are not judged are only there to go on from."""


def execute(context: RunContext) -> None:
    """Train and judge a run, or go on where it stopped; nothing is done for a complete one.

    Raises:
        SettingError: before any file is opened, for a method that cannot work in the setting; before any is written, for an
            encoder that is not here or cannot be used.
        DataError: before training starts, for data that cannot be used.
        RunError: before any file is opened, for blocks that the network does not have; for a folder that is not this run's, or
            when saving fails.
    """
    run, setting = context.run, context.run.setting
    check(run.method, setting, run.net.streams)
    check_run_blocks(run)
    context.runtime.share(run.optim.batch)
    context.runtime.share(run.optim.batch // run.optim.pieces, "micro-batch")
    data = open_clip_set(run.data)
    refuse_learnt(data, setting, run.net.streams)
    manifest = needed(data.manifest, setting, context.trained_on, context.target_moments)
    refuse_other(context.folder, run)
    if is_complete(context.folder):
        return
    run.net.check()
    readers = context.readers(data)
    whole, problems = context.screened(manifest, readers, LEFT_OUT)
    tested = [setting.target] if len(manifest.select([setting.target], "test")) else []
    refuse_empty(whole, setting, {"train": context.trained_on, "test": tested}, left_out=len(manifest) - len(whole))
    manifest = whole
    with _claimed(context):
        context.note_left_out(problems, LEFT_OUT)
        told = describe_unlabelled(data.manifest.within({"train": context.trained_on, "test": setting.domains}))
        if context.shows_progress and told:
            say(told)
        unlabelled = frozenset({setting.target} - set(setting.sources))
        trained = manifest.select(manifest.domains, "train")
        _train(context, context.clips(trained, readers, unlabelled), data)
        judged = [domain for domain in setting.domains if len(manifest.select([domain], "test").labelled)]
        found = {domain: judge_domain(context, manifest, readers, domain) for domain in judged}
        _store(context, found, manifest.classes, is_whole=True)


def check_run_blocks(run: Run) -> None:
    """Refuse a run whose blocks, frozen or with a factor on the learning rate, its network does not have. RunError lists them."""
    if run.optim.blocks:
        freeze(run.optim, run.build_net(num_classes=2))


def measure(context: RunContext, domain: str, average: WindowAverage | None = None) -> list[Row]:
    """Judge a trained run on a domain's test clips, and put the rows among its others: these rows.

    Where the others are damaged, all domains that the run was judged on are judged anew.

    Args:
        average: what is averaged over a clip's windows; where that is not what the run's judgement says, nothing is stored.

    Raises:
        RunError: for a run that is not finished.
        DataError: for a domain without test clips, or data that cannot be used.
    """
    refuse_unfinished(context.folder, context.run)
    data, classes, own = open_clip_set(context.run.data), _learnt(context), context.run.evaluation
    if average not in (None, own.average):
        asked = replace(context.run, evaluation=replace(own, average=average))
        return _rows_from(context, domain, _judge_tests(replace(context, run=asked), data, domain, classes), classes)
    damage = context.runtime.collect(_rows_of(context)[1])[0]
    domains = [domain] if damage is None else _all_judged(context, data, domain)
    if damage is not None and context.shows_progress:
        say(f"{damage.what} Got {damage.got}. So all of {', '.join(domains)} are judged anew.")
    found = {domain: _judge_tests(context, data, domain, classes) for domain in domains}
    _store(context, found, classes, damage is not None and context.checkpoints.are_whole())
    return _rows_from(context, domain, found[domain], classes)


def _all_judged(context: RunContext, data: ClipSet, domain: str) -> list[str]:
    """A domain, those of the run and all of which there are predictions, where there are clips to judge."""
    others = [*context.run.setting.domains, *(of for _, _, of in prediction_files(context.folder))]
    return [*dict.fromkeys([domain, *(of for of in others if len(data.manifest.select([of], "test").labelled))])]


def _judge_tests(context: RunContext, data: ClipSet, domain: str, classes: tuple[str, ...]) -> Judged:
    """What the checkpoints say of a domain's usable test clips; DataError where there are none."""
    moments = context.target_moments if domain == context.run.setting.target else frozenset()
    splits = ("train", "test") if "after" in moments else ("test",)
    readers, known = context.readers(data), data.manifest.with_classes(classes)
    wanted = known.within({split: [domain] for split in splits})
    wanted = wanted if "test" in moments else wanted.without_unlabelled({"test": [domain]})
    _need_tests(context, wanted, domain, data.manifest)
    listing = f"left_out-{domain}.json"
    manifest, problems = context.screened(wanted, readers, listing)
    context.note_left_out(problems, listing)
    _need_tests(context, manifest, domain, data.manifest)
    return judge_domain(context, manifest, readers, domain)


def refuse_unfinished(folder: Path, run: Run) -> None:
    """Refuse a run that is not finished, or whose checkpoints are gone. RunError."""
    checkpoints = Checkpoints(folder / CHECKPOINTS, run.optim.steps, run.evaluation.every, run.evaluation.keep)
    try:
        is_finished = is_complete(folder)
    except RunError:  # rows that are damaged were of a finished run, and this may judge it anew
        is_finished = True
    if not is_finished:
        raise RunError(
            f"The run in {folder} is not finished.",
            got=f"a training at step {checkpoints.last_step()} of {run.optim.steps}, and no judgement",
            expected="a run that was trained and judged on its setting's domains",
            remedy=f"Finish it: {shlex.join(['egonorm', 'train', '--resume', str(folder)])}",
        )
    if not checkpoints.saved():
        raise RunError(
            f"The run in {folder} has no checkpoints any more.",
            got=f"nothing in {folder / CHECKPOINTS}",
            expected="the networks that its training kept",
            remedy="Bring them back from a copy, or train anew with another --out.",
        )


def _need_tests(context: RunContext, manifest: Manifest, domain: str, whole: Manifest) -> None:
    if not len(manifest.select([domain], "test").labelled):
        raise DataError(
            f"{context.run.data} has no usable test clips of {domain}.",
            got=f"{len(whole.select([domain], 'test'))} in the manifest",
            expected=f"usable test clips with labels, of one of {', '.join(whole.domains)}",
            remedy="Correct --domain, or mend the media.",
        )


@contextmanager
def _claimed(context: RunContext) -> Iterator[None]:
    """The first process claims the folder; what it refuses, all refuse."""
    with ExitStack() as stack:
        refusal = None
        if context.runtime.is_first:
            try:
                stack.enter_context(claim(context.folder, context.run))
            except RunError as error:
                refusal = error
        refusal = context.runtime.collect(refusal)[0]
        if refusal is not None:
            raise refusal
        yield


def fit_standardise(net: Net, config: NetConfig, data: ClipSet, clips: Manifest) -> None:
    """On stored features, set what the columns of a network's streams pass first, from the clips that may decide it."""
    if not isinstance(data, FeatureSet):
        return
    inputs = {name: stream.input for name, stream in config.streams.items() if name in net.standardise}
    scalings = {name: given.scaling for name, given in inputs.items() if isinstance(given, FeatureInput)}
    for scaling in set(scalings.values()):
        columns = data.scaled(clips, scaling)
        for name in (name for name, own in scalings.items() if own == scaling):
            cast(Standardise, net.standardise[name]).set(columns[name].mean, columns[name].factor)


BATCHES = "whole"
"""How an epoch is cut into batches; a run that was begun otherwise, with batches across epochs, cannot go on."""


def _train(context: RunContext, clips: Clips, data: ClipSet) -> None:
    """Train from the last checkpoint, or from the start, to the last step."""
    run, runtime, manifest = context.run, context.runtime, clips.manifest
    about = {"classes": list(manifest.classes), "clips": manifest.digest(clips.unlabelled), "batches": BATCHES}
    if context.reuse is not None:
        take_over(run, context.checkpoints, context.reuse, runtime, about)
    is_new = context.checkpoints.last_step() == 0
    net = run.build_net(len(manifest.classes), pretrained=is_new)
    if is_new:
        fit_standardise(net, run.net, data, manifest.select(run.setting.sources, "train"))
    freeze(run.optim, net)
    model = runtime.wrap(Objective(net, run.method, run.optim.pieces))
    optimizer = make_optimizer(run.optim, net)
    first = runtime.agree(context.checkpoints.resume(net, optimizer, about), "the last checkpoint's step") + 1
    domains = run.setting.domains if "training" in context.target_moments else run.setting.sources
    batches = training_batches(
        clips,
        domains,
        run.optim.batch,
        first,
        run.optim.steps,
        context.options.workers,
        runtime.device,
        runtime.rank,
        runtime.num_ranks,
    )
    title = f"Training {run.method.name()} on {'+'.join(run.setting.sources)}"
    with bar(title, context.shows_progress) as progress, _log(context, first) as log:
        save = lambda step: context.checkpoints.save(step, net, optimizer, about)  # noqa: E731
        done = _recorder(context, log, manifest.classes, save, progress) if log is not None else lambda *_: None
        try:
            train_steps(model, optimizer, run.optim, batches, first, run.seed, runtime, done)
        except NotFiniteError as error:
            if log is not None:
                note_stop(context.folder, error)
            raise
    runtime.wait()


@contextmanager
def _log(context: RunContext, first: int) -> Iterator[TextIO | None]:
    """The log of training, a line a step, written by the first process alone; nothing when there is nothing to train."""
    if not context.runtime.is_first or first > context.run.optim.steps:
        yield None
        return
    note_start(context.folder, context.runtime, first - 1)
    (context.folder / STOPPED).unlink(missing_ok=True)
    with saving(context.folder / LOG):
        log = (context.folder / LOG).open("a", buffering=1)
    try:
        yield log
    finally:
        with saving(context.folder / LOG):
            log.close()  # which writes what is left


def _recorder(context: RunContext, log: TextIO, classes: Sequence[str], save: Callable, progress: Callable) -> Callable:
    """What follows each step: a line in the log, a checkpoint when it is due, the bar."""
    optim, began = context.run.optim, time.monotonic()
    saved = began

    def done(step: int, terms: Mapping[str, float], seen: Sequence[StepStats]) -> None:
        nonlocal saved
        entry = {"step": step, "lr": optim.lr_at(step), "terms": terms} | of_domains(seen)
        if step % CLASSES_EVERY == 0 or step == optim.steps:
            entry["classes"] = of_classes(seen, classes)
        with saving(context.folder / LOG):
            log.write(json.dumps(entry | {"seconds": round(time.monotonic() - began, 3)}) + "\n")
        spared = time.monotonic() - saved < SPARE and not context.checkpoints.is_judged(step)
        if context.checkpoints.is_due(step) and not spared:
            save(step)
            saved = time.monotonic()
        progress(step, optim.steps)

    return done
