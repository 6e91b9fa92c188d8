"""Blocks of a network by name: what lies in which, the smallest decides, and an unknown one is answered with what there is."""

import pytest

from egonorm.core import RunError
from egonorm.methods import methods
from egonorm.nets.bn_inception import BnInception
from egonorm.nets.i3d import I3d
from egonorm.nets.net import Net, block_of, check_blocks


def parameters(fusion="sum", method="source-only", encoders=None) -> list[str]:
    net = Net(encoders or {"rgb": I3d(3, 0.0625), "audio": BnInception(1, 0.0625)}, 3, fusion)
    methods()[method]().prepare(net)
    return [name for name, _ in net.named_parameters()]


def inside(block: str, names: list[str]) -> set[str]:
    return {name for name in names if block_of(name, [block])}


def starting(names: list[str], *starts: str) -> set[str]:
    return {name for name in names if name.startswith(starts)}


@pytest.mark.parametrize(
    ("block", "starts"),
    [
        ("rgb", ("encoders.rgb.", "necks.rgb.", "fusion.classifiers.rgb.")),
        ("rgb.encoder", ("encoders.rgb.",)),
        ("rgb.neck", ("necks.rgb.",)),
        ("audio.classifier", ("fusion.classifiers.audio.",)),
        ("fusion", ("fusion.",)),
        ("rgb.encoder.mixed_4", ("encoders.rgb.Mixed_4",)),
        ("rgb.encoder.Mixed_4b", ("encoders.rgb.Mixed_4b.",)),
        ("rgb.encoder.mixed_4b.b1", ("encoders.rgb.Mixed_4b.b1a", "encoders.rgb.Mixed_4b.b1b")),
        ("rgb.encoder.conv3d", ("encoders.rgb.Conv3d_",)),
        ("audio.encoder.inception_4a", ("encoders.audio.inception_4a_",)),
        ("audio.encoder.conv1_7x7_s2", ("encoders.audio.conv1_7x7_s2.", "encoders.audio.conv1_7x7_s2_bn.")),
        ("rgb.encoder.mixed_4b.b0.conv3d.weight", ("encoders.rgb.Mixed_4b.b0.conv3d.weight",)),
    ],
)
def test_what_lies_in_a_block(block, starts):
    names = parameters(method="batch-norm")
    assert inside(block, names) == starting(names, *starts) != set()


def test_what_a_method_adds_is_called_as_it_is_there():
    names = parameters(method="rna-grl")
    assert inside("extra", names) == starting(names, "extra.")
    assert inside("extra.domain_rgb", names) == starting(names, "extra.domain_rgb.")
    assert inside("extra.domain", names) == starting(names, "extra.domain_")


def test_under_mid_level_fusion_the_classifier_is_of_no_modality():
    names = parameters("concat")
    assert inside("rgb", names) == starting(names, "encoders.rgb.")
    assert inside("fusion", names) == starting(names, "fusion.")
    assert inside("fusion.hidden", names) == starting(names, "fusion.hidden.")


@pytest.mark.parametrize(
    "block", ["rg", "rgb.enc", "rgb.encoder.mix", "rgb.encoder.mixed_", "rgb.", "", "encoders", "rgb2"]
)
def test_a_name_ends_where_a_word_does(block):
    assert not inside(block, parameters())


def test_a_modality_is_not_the_beginning_of_another():
    names = parameters(encoders={"rgb": I3d(3, 0.0625), "rgb2b": I3d(3, 0.0625), "rgb_left": I3d(3, 0.0625)})
    assert inside("rgb", names) == starting(names, "encoders.rgb.", "fusion.classifiers.rgb.")
    assert inside("rgb2", names) == set()


def test_ten_is_not_one():
    assert block_of("encoders.rgb._blocks.1.x", ["rgb.encoder._blocks.1"])
    assert not block_of("encoders.rgb._blocks.10.x", ["rgb.encoder._blocks.1"])


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("encoders.rgb.Mixed_4b.b0.bn.weight", "rgb.encoder.mixed_4b"),
        ("encoders.rgb.Mixed_4c.b0.bn.weight", "rgb.encoder.mixed_4"),
        ("encoders.rgb.Mixed_5b.b0.bn.weight", "rgb"),
        ("fusion.classifiers.rgb.weight", "fusion"),
        ("fusion.classifiers.audio.weight", "audio.classifier"),
        ("encoders.audio.conv2_3x3.weight", None),
    ],
)
def test_the_smallest_block_decides(name, block):
    blocks = ("rgb", "rgb.encoder.mixed_4", "fusion", "rgb.encoder.mixed_4b", "audio.classifier")
    assert block_of(name, blocks) == block == block_of(name, tuple(reversed(blocks)))


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (
            "smell",
            "rgb, rgb.encoder, rgb.classifier, audio, audio.encoder, audio.classifier, fusion, extra, extra.domain_rgb",
        ),
        ("rgb.encodr", "rgb.encoder, rgb.classifier"),
        ("rgb.neck", "rgb.encoder, rgb.classifier"),
        ("rgb.encoder.mixd", "rgb.encoder.conv3d_1a, rgb.encoder.conv3d_2b"),
        ("rgb.encoder.maxpool3d_2a_3x3", "rgb.encoder.conv3d_1a, rgb.encoder.conv3d_2b"),
        ("audio.encoder.inception_6", "audio.encoder.conv1_7x7, audio.encoder.conv2_3x3, audio.encoder.inception_3a"),
        ("extra.domain_flow", "extra.domain_rgb, extra.domain_audio"),
        ("fusion.hidden", "fusion.classifiers"),
    ],
)
def test_an_unknown_block_is_answered_with_what_there_is(block, expected):
    names = parameters(method="grl")
    with pytest.raises(RunError) as caught:
        check_blocks(["rgb.encoder", block], names, "--freeze")
    assert caught.value.what == f"--freeze: the network has no block {block}." and caught.value.got == block
    assert caught.value.expected.startswith(expected)
    for near in caught.value.expected.split(", "):
        assert inside(near, names)


def test_known_blocks_are_not_refused():
    check_blocks(["rgb", "audio.encoder.inception_4", "fusion"], parameters(), "--freeze")
