"""Checkpoints: whole or absent, the last nine, and nothing lost when the disk is full."""

import errno
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from egonorm.core import RunError
from egonorm.core.files import write_atomically
from egonorm.core.tensors import METADATA
from egonorm.core.training import Optim
from egonorm.nets.net import load_network, read_metadata
from egonorm.training.checkpoint import Checkpoints
from egonorm.training.optimizer import make_optimizer

ABOUT = {"classes": ["cut", "mix"], "clips": "0123"}


def trained(seed=0):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    optimizer = torch.optim.SGD(net.parameters(), 0.1, 0.9)
    for _ in range(3):
        optimizer.zero_grad()
        net(torch.randn(5, 3)).square().sum().backward()
        optimizer.step()
    return net, optimizer


def test_keeps_the_last_and_resumes_weights_buffers_and_momentum(tmp_path):
    net, optimizer = trained()
    saved = Checkpoints(tmp_path / "checkpoints", steps=40, every=3, keep=4)
    due = [step for step in range(1, 41) if saved.is_due(step)]
    assert due[-1] == 40 and due[0] == 1 and len(due) == 14
    assert [step for step in range(1, 41) if saved.is_judged(step)] == due[-4:]
    for step in due:
        saved.save(step, net, optimizer, ABOUT)
    assert saved.saved() == (31, 34, 37, 40)
    assert read_metadata(saved.path(40)) == {"step": 40} | ABOUT
    other, other_optimizer = trained(1)
    assert saved.resume(other, other_optimizer, ABOUT) == 40
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), other.state_dict().values(), strict=True))
    for a, b in zip(net.parameters(), other.parameters(), strict=True):
        momenta = optimizer.state[a]["momentum_buffer"], other_optimizer.state[b]["momentum_buffer"]
        assert torch.equal(*momenta)


def test_a_state_without_its_network_is_refused(tmp_path):
    net, optimizer = trained()
    saved = Checkpoints(tmp_path / "checkpoints", steps=9, every=3, keep=2)
    saved.save(3, net, optimizer, ABOUT)
    saved.path(3).unlink()
    with pytest.raises(
        RunError, match=r"cannot go on(.|\n)*no file(.|\n)*000003(.|\n)*Bring it back, or train anew with another --out"
    ):
        saved.resume(net, optimizer, ABOUT)


def test_checkpoints_are_whole_at_the_last_step_with_all_their_networks(tmp_path):
    net, optimizer = trained()
    saved = Checkpoints(tmp_path, steps=9, every=3, keep=2)
    for step in (3, 6, 9):
        assert not saved.are_whole()
        saved.save(step, net, optimizer, ABOUT)
    assert saved.are_whole() and saved.saved() == (6, 9)
    saved.path(6).unlink()
    assert not saved.are_whole()


def test_a_state_that_was_trained_on_other_clips_is_refused(tmp_path):
    net, optimizer = trained()
    saved = Checkpoints(tmp_path, steps=9, every=3, keep=9)
    saved.save(3, net, optimizer, ABOUT)
    with pytest.raises(RunError, match=r"was trained on other clips(.|\n)*4567(.|\n)*0123"):
        saved.resume(net, optimizer, ABOUT | {"clips": "4567"})


def test_a_network_newer_than_the_state_is_no_part_of_it(tmp_path):
    net, optimizer = trained()
    saved = Checkpoints(tmp_path, steps=9, every=3, keep=9)
    saved.save(3, net, optimizer, ABOUT)
    (tmp_path / "000006.safetensors").write_bytes((tmp_path / "000003.safetensors").read_bytes())
    assert saved.saved() == (3,)


def test_a_full_disk_loses_nothing_and_says_so(tmp_path, monkeypatch):
    net, optimizer = trained()
    saved = Checkpoints(tmp_path, steps=9, every=3, keep=9)
    saved.save(3, net, optimizer, ABOUT)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("egonorm.core.files.os.fsync", full)
    with pytest.raises(RunError, match=r"could not be written(.|\n)*the disk is full(.|\n)*what was saved stands"):
        saved.save(6, net, optimizer, ABOUT)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_device_that_is_really_full(tmp_path, monkeypatch):
    path = tmp_path / "weights"
    path.write_bytes(b"old")
    opened = Path.open

    def open_full(self, mode):
        self.symlink_to("/dev/full")
        return opened(self, "wb")

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(RunError, match="the disk is full"):
        write_atomically(path, b"new" * 10**6)
    monkeypatch.undo()
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_what_is_no_checkpoint_or_does_not_fit(tmp_path):
    path = tmp_path / "000001.safetensors"
    path.write_bytes(b"\x80\x04not a checkpoint")
    with pytest.raises(RunError, match="is not a checkpoint"):
        read_metadata(path)
    safetensors.torch.save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(RunError, match="is not a checkpoint"):
        read_metadata(path)
    with pytest.raises(RunError, match=r"does not fit the network(.|\n)*got: +Missing key.*\"bias\""):
        load_network(path, nn.Linear(3, 4))
    for about, got in {
        "[1]": "list",
        '{"step": "1"}': "without step, classes",
        '{"step": 1}': "without classes",
    }.items():
        safetensors.torch.save_file({"weight": torch.zeros(2)}, path, {METADATA: about})
        with pytest.raises(RunError, match=rf"is not a checkpoint\.\n  got: .*{got}"):
            read_metadata(path, "classes")
    assert read_metadata(path) == {"step": 1}


def test_momenta_come_back_in_the_order_of_memory_of_their_weights(tmp_path):
    def descend():
        optimizer.zero_grad()
        net(torch.ones(2, 3, 5, 5)).square().sum().backward()
        optimizer.step()

    torch.manual_seed(0)
    net = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    optimizer = make_optimizer(Optim(lr=0.001), net)
    descend()
    saved = Checkpoints(tmp_path, steps=1, every=1, keep=1)
    saved.save(1, net, optimizer, ABOUT)
    descend()
    expected = net.weight.detach().clone()
    optimizer = make_optimizer(Optim(lr=0.001), net)
    assert saved.resume(net, optimizer, ABOUT) == 1
    assert optimizer.state[net.weight]["momentum_buffer"].stride() == net.weight.stride()
    descend()
    assert torch.equal(net.weight, expected)
