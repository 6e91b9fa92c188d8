"""Judging clips by five windows each: what `judge` does, against a loop that takes one window after the other."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from benchmarks.case import Bench, case
from benchmarks.families.networks import peer_features
from benchmarks.limit import DTYPES, need_bfloat16
from benchmarks.media import MINUTES, Recording, make_recording
from benchmarks.ours import CPU, INPUTS, LABELS, PAPER, SPAN, clips_of, frame_reader, manifest, sound_reader
from benchmarks.pairs import bn_inception_pair, i3d_pair, settled_bn_inception, settled_i3d
from benchmarks.record import Record, Skip, at_least
from benchmarks.timing import alternate, ratio, threads, told
from egonorm.core.training import Precision
from egonorm.data import Clips
from egonorm.data.loader import evaluation_batches
from egonorm.data.windows import even_windows
from egonorm.nets import Net
from egonorm.nets.layers import fuse_bn
from egonorm.training import Runtime, judge

CLIPS, TOGETHER, WINDOWS = 4, 2, PAPER.evaluation.num_windows
"""Clips, of which so many are in a batch, by windows."""
OWN = "our networks as they were trained"
"""What the naive loop uses where no peer is given."""


def clips_to_judge(recording: Recording) -> Clips:
    """A few clips of the recording."""
    few = manifest(MINUTES * 60, step=60.0).keep(lambda clip: int(clip.uid.rpartition("-")[2]) < CLIPS)
    return clips_of(few, frame_reader(recording.folder), sound_reader(recording))


def our_judgement(clips: Clips, net: Net, precision: Precision) -> Callable[[], object]:
    """The predictions of one network on the clips, folded as before every judgement."""
    runtime, folded = Runtime(CPU, precision), fuse_bn(net)

    def action() -> object:
        batches = evaluation_batches(clips, WINDOWS, TOGETHER * WINDOWS, 0, CPU)
        return judge({1: folded}, batches, PAPER.evaluation, runtime)

    return action


def naive_judgement(clips: Clips, encoders: dict[str, Callable[[Tensor], Tensor]], net: Net) -> Callable[[], object]:
    """The same, window by window: each is decoded, looked at and passed on its own; float32, no gradient."""

    def look(name: str, media: str, window) -> Tensor:
        x = INPUTS[name].to_inputs(INPUTS[name].augment(clips.readers[name](media, (window,)), None))
        return x.permute(0, 4, 1, 2, 3).contiguous().float() / 127.5 - 1 if x.dtype == torch.uint8 else x

    def action() -> object:
        scores = []
        with torch.no_grad():
            for clip in clips.manifest.clips:
                for window in even_windows(clip.start, clip.stop, SPAN, WINDOWS):
                    found = {n: encode(look(n, clip.media, window)).flatten(1) for n, encode in encoders.items()}
                    scores.append(net.eval().classify(found).softmax(dim=1))
        return torch.cat(scores).unflatten(0, (-1, WINDOWS)).mean(dim=1)

    return action


@case(quick=True)
def evaluation(bench: Bench) -> Iterator[Record]:
    """Ours in both precisions against the naive loop, with the peers' networks where they are given."""
    with threads(bench.threads):
        rgb, audio, whose = _networks(bench)
        net, clips = Net({"rgb": rgb[0], "audio": audio[0]}, len(LABELS)), clips_to_judge(make_recording(bench.work))
        actions = {f"ours {p}": our_judgement(clips, net, p) for p in DTYPES}
        actions["naive"] = naive_judgement(clips, {"rgb": rgb[1], "audio": audio[1]}, net)
        proof = _same_scores(actions["ours float32"](), actions["naive"]())
        times = alternate(actions, max(3, bench.repeats // 2))
    what = f"judging by {WINDOWS} windows, decoding included, {{}}, over a naive loop with {whose}"
    goal, suffix = (None, "-alone") if whose == OWN else (at_least(3), "")
    for precision in DTYPES:
        yield Record(
            f"evaluation-{precision}{suffix}",
            what.format(precision),
            ratio(times, "naive", f"ours {precision}"),
            goal,
            detail=f"{told(times, CLIPS)} a clip; {proof}",
        )
    need_bfloat16()


def _networks(bench: Bench) -> tuple[tuple[nn.Module, Callable], tuple[nn.Module, Callable], str]:
    """Our encoders and what the naive loop uses for each: the peers', else our own as they were trained."""
    try:
        pairs = i3d_pair(bench.peers), bn_inception_pair(bench.peers)
    except Skip:
        own = settled_i3d(), settled_bn_inception()
        return (own[0], own[0].eval()), (own[1], own[1].eval()), OWN
    return *((pair.ours, peer_features(pair)) for pair in pairs), "the peers' networks"


def _same_scores(found: dict, naive: Tensor) -> str:
    """How far both judgements are apart; the order of the clips is by uid in ours."""
    scores = torch.as_tensor(found[1].scores["fused"])
    difference = float((scores - naive).abs().max())
    if difference > 1e-3:
        raise Skip(f"the two do not judge alike: scores differ by {difference:.1e}")
    return f"same scores to {difference:.0e}"
