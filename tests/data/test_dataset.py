"""Clips and streams: paired windows, addresses of randomness, workers, labels, shares of processes, going on at a step."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from egonorm.core import DataError
from egonorm.data.dataset import Clips, EvalKey, TrainKey
from egonorm.data.loader import ClipSampler, DomainBatchSampler, evaluation_batches, training_batches
from egonorm.data.manifest import Clip, Manifest
from egonorm.data.sets import kinds, open_clip_set
from egonorm.data.transforms import AudioInput, FeatureInput, VideoInput
from egonorm.data.windows import Span, even_windows
from egonorm.signal import Spectrogram

SPAN, CPU = Span(2, 2, 30.0), torch.device("cpu")
SOUND = AudioInput(Spectrogram(num_fft=63, window=48, hop=480, seconds=0.5))


class Clock:
    """A reader that tells when it was asked to look."""

    def __call__(self, media, windows):
        return torch.tensor([[window.start, window.stop] for window in windows])

    def examine(self, media, thorough=False):
        return 100.0


def clips(count=10, domains=("D1", "D2"), **changes) -> Clips:
    made = tuple(
        Clip(f"{domain}-{k}", f"{domain}.mp4", k * 5.0, k * 5.0 + 4, "cut" if k % 2 else "mix", domain, "train")
        for domain in domains
        for k in range(count)
    )
    readers, told = {"rgb": Clock(), "audio": Clock()}, FeatureInput(2)
    return replace(
        Clips(Manifest(made, ("cut", "mix")), readers, {"rgb": told, "audio": told}, SPAN, seed=3), **changes
    )


def test_every_modality_gets_the_same_window():
    dataset = clips()
    for epoch in range(5):
        sample = dataset[TrainKey(4, epoch)]
        assert torch.equal(sample.inputs["rgb"], sample.inputs["audio"])
        clip = dataset.manifest.clips[4]
        start, stop = sample.inputs["rgb"].flatten().tolist()
        assert clip.start <= start < stop <= clip.stop


def test_a_clips_windows_are_asked_for_together():
    dataset = clips()
    sample, clip = dataset[EvalKey(3, 5)], dataset.manifest.clips[3]
    expected = [[w.start, w.stop] for w in even_windows(clip.start, clip.stop, SPAN, 5)]
    assert len(sample) == 5
    torch.testing.assert_close(sample.inputs["rgb"], torch.tensor(expected))


def test_a_draw_follows_from_seed_epoch_and_uid_alone():
    look = lambda dataset, index, epoch: dataset[TrainKey(index, epoch)].inputs["rgb"].tolist()  # noqa: E731
    dataset = clips()
    assert look(dataset, 4, 0) == look(clips(), 4, 0)
    assert look(dataset, 4, 0) != look(dataset, 4, 1)
    assert look(dataset, 4, 0) != look(clips(seed=4), 4, 0)
    backwards = replace(dataset, manifest=Manifest(dataset.manifest.clips[::-1], ("cut", "mix")))
    assert look(backwards, len(dataset) - 1 - 4, 0) == look(dataset, 4, 0)


def test_target_batches_have_no_labels():
    dataset = clips(unlabelled=frozenset({"D2"}))
    source, target = next(training_batches(dataset, ("D1", "D2"), 4, 1, 1, 0, CPU))
    assert source.domain == "D1" and source.labels is not None
    assert target.domain == "D2" and target.labels is None


def test_an_epoch_shows_every_clip_once_in_an_order_of_its_own():
    steps = DomainBatchSampler({"D1": torch.arange(10)}, batch=5, first=1, last=6, seed=0)
    draws = [draw for step in steps for draw in step]
    for epoch in range(3):
        assert sorted(d.index for d in draws if d.epoch == epoch) == list(range(10))
    orders = [tuple(d.index for d in draws if d.epoch == epoch) for epoch in range(3)]
    assert len(set(orders)) == 3


def test_no_batch_shows_a_clip_twice():
    """The rest of an epoch that fills no batch is not shown; another one is left out in each epoch."""
    steps = DomainBatchSampler({"D1": torch.arange(11)}, batch=4, first=1, last=40, seed=0)
    batches = [[draw.index for draw in step] for step in steps]
    assert all(len(set(batch)) == 4 for batch in batches)
    for first in range(0, 40, 2):
        assert len({*batches[first], *batches[first + 1]}) == 8
    assert len({frozenset(range(11)) - {*batches[k], *batches[k + 1]} for k in range(0, 40, 2)}) > 10
    few = [[draw.index for draw in step] for step in DomainBatchSampler({"D1": torch.arange(3)}, 6, 1, 4, 0)]
    assert all(sorted(batch) == [0, 0, 1, 1, 2, 2] for batch in few)


def test_steps_go_on_anywhere_and_processes_share_them():
    indices = {"D1": torch.arange(3), "D2": torch.arange(3, 7)}
    whole = list(DomainBatchSampler(indices, batch=4, first=1, last=8, seed=1))
    assert list(DomainBatchSampler(indices, batch=4, first=5, last=8, seed=1)) == whole[4:]
    halves = [list(DomainBatchSampler(indices, 4, 1, 8, 1, rank, 2)) for rank in (0, 1)]
    joined = [a[:2] + b[:2] + a[2:] + b[2:] for a, b in zip(*halves, strict=True)]
    assert joined == whole


def test_the_order_of_clips_is_a_permutation_addressed_by_seed_epoch_and_domain():
    (rows,) = list(DomainBatchSampler({"Küche": torch.tensor([7, 9, 4, 2, 0])}, batch=8, first=2, last=2, seed=6))
    orders = [np.random.default_rng([6, epoch, *"Küche".encode()]).permutation(5) for epoch in range(4)]
    row = [TrainKey([7, 9, 4, 2, 0][place], epoch) for epoch, order in enumerate(orders) for place in order]
    assert rows == row[8:16]


def test_a_test_shows_every_clip_once_a_batchs_windows_at_a_time():
    shares = [ClipSampler(num_clips=11, num_windows=5, batch=16, rank=rank, num_ranks=2) for rank in (0, 1)]
    assert [len(share) for share in shares] == [len(list(share)) for share in shares] == [2, 2]
    assert list(shares[0]) == [
        [EvalKey(0, 5), EvalKey(2, 5), EvalKey(4, 5)],
        [EvalKey(6, 5), EvalKey(8, 5), EvalKey(10, 5)],
    ]
    assert [len(batch) for batch in shares[1]] == [3, 2]
    assert [len(batch) for batch in ClipSampler(3, num_windows=5, batch=2)] == [1, 1, 1]


def test_evaluation_batches_hold_whole_clips_windows_in_a_row():
    dataset = clips(count=5, domains=("D1",))
    batches = [batch for (batch,) in evaluation_batches(dataset, num_windows=3, batch=6, workers=0, device=CPU)]
    assert next(batch.uids for batch in batches) == ("D1-0",) * 3 + ("D1-1",) * 3
    assert sum(len(batch) for batch in batches) == 15
    shares = [[b.uids[0] for (b,) in evaluation_batches(dataset, 3, 3, 0, CPU, rank, 2)] for rank in (0, 1)]
    assert sorted(shares[0] + shares[1]) == [f"D1-{k}" for k in range(5)]


def test_the_number_of_workers_changes_nothing(kitchens):
    data = open_clip_set(f"kitchens:{kitchens}")
    inputs = {"rgb": VideoInput(SPAN, 36, 32), "audio": SOUND}
    dataset = Clips(
        data.manifest.select(["D1", "D2"], "train"), {m: data.reader(m, x) for m, x in inputs.items()}, inputs, SPAN
    )
    pickle.dumps(dataset)
    runs = [list(training_batches(dataset, ("D1", "D2"), 4, 1, 3, workers, CPU)) for workers in (0, 2)]
    for alone, helped in zip(*runs, strict=True):
        for a, b in zip(alone, helped, strict=True):
            assert a.uids == b.uids and torch.equal(a.labels, b.labels)
            assert all(torch.equal(a.inputs[m], b.inputs[m]) for m in inputs)


def test_batches_are_of_one_domain_each():
    batches = clips().batches([EvalKey(k, 1) for k in (0, 12, 3)])
    assert [(b.domain, b.uids) for b in batches] == [("D1", ("D1-0", "D1-3")), ("D2", ("D2-2",))]


class ManyClocks(Clock):
    """Tells how often it was asked."""

    def __init__(self):
        self.asked = 0

    def of_many(self, asked):
        self.asked += 1
        return torch.cat([self(media, windows) for media, windows in asked])


def test_a_reader_of_many_is_asked_once_a_domain_and_shows_the_same():
    one, many = clips(), ManyClocks()
    keys = [EvalKey(k, 3) for k in (0, 12, 3, 4)] + [TrainKey(5, 2), TrainKey(17, 0)]
    found = clips(readers={"rgb": Clock(), "audio": many}).batches(keys)
    assert many.asked == 2
    for batch, expected in zip(found, one.batches(keys), strict=True):
        assert batch.uids == expected.uids and torch.equal(batch.labels, expected.labels)
        assert torch.equal(batch.inputs["audio"], expected.inputs["audio"])
    assert torch.equal(found[1].inputs["audio"][:3], one[EvalKey(12, 3)].inputs["audio"])


def test_a_varied_view_is_drawn_clip_by_clip():
    varied = VideoInput(SPAN, 36, 32)
    assert clips(readers={"rgb": ManyClocks()}, inputs={"rgb": varied})._of_many == frozenset()


def test_kinds_and_paths(tmp_path):
    assert kinds() == ("epic55", "features", "folder", "kitchens", "packed")
    with pytest.raises(DataError, match="a kind among epic55, features, folder, kitchens, packed"):
        open_clip_set("video:/tmp")
    with pytest.raises(DataError, match="KIND:PATH"):
        open_clip_set(str(tmp_path))
    with pytest.raises(DataError, match="no such folder"):
        open_clip_set(f"folder:{tmp_path / 'nowhere'}")
    with pytest.raises(DataError, match="egonorm data kitchens"):
        open_clip_set(f"kitchens:{tmp_path}")


def test_an_unknown_modality_names_the_known_ones(kitchens):
    with pytest.raises(DataError, match="rgb or audio"):
        open_clip_set(f"kitchens:{kitchens}").reader("smell", SOUND)
