"""Activation maps are those of the published formulas, in every encoder, for any number of streams and both fusions."""

import copy

import pytest
import torch
from torch.nn import functional as F

from egonorm.core import SettingError
from egonorm.nets import Aisfx, BnInception, I3d, Lite0, Net, Projection
from egonorm.nets.grad_cam import class_maps, without_maps

STREAMS = {
    "left": (I3d, (3, 8, 64, 64), (1, 2, 2)),
    "right": (Lite0, (3, 4, 64, 64), (4, 2, 2)),
    "high": (BnInception, (1, 64, 128), (2, 4)),
    "low": (Aisfx, (1, 96, 72), (12, 9)),
}
"""An encoder, its input, and the places of its last maps."""
CLASSES = torch.tensor([2, 0, 1])


def randomised(encoder):
    """With batch norms that do something, so that training and evaluation differ."""
    for layer in encoder.modules():
        if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.init.normal_(layer.running_mean, 0, 0.1)
            torch.nn.init.uniform_(layer.running_var, 0.5, 1.5)
    return encoder


def make(names, fusion="sum"):
    """A network of some of the streams, and three clips."""
    torch.manual_seed(1)
    encoders = {name: randomised(STREAMS[name][0](STREAMS[name][1][0], width=0.0625)) for name in names}
    net = Net(encoders, 4, fusion)
    return net.eval(), {name: torch.randn(3, *STREAMS[name][1]) for name in names}


def maps_of(net, inputs):
    """What leaves each encoder's last block."""
    found = {}
    hooks = [
        e.maps.register_forward_hook(lambda _, __, out, n=n: found.update({n: out})) for n, e in net.encoders.items()
    ]
    features = net.features(inputs)
    for hook in hooks:
        hook.remove()
    return found, features


def textbook(net, inputs, classes, name, own):
    """Selvaraju et al. (ICCV 2017), Equations 1 and 2: weights are the gradient's mean over places; then ReLU of the sum."""
    found, features = maps_of(net, inputs)
    logits = net.classify_each(features)[name] if own else net.classify(features)
    (gradient,) = torch.autograd.grad(logits.gather(1, classes[:, None]).sum(), found[name])
    alpha = gradient.flatten(2).mean(dim=2)
    return torch.einsum("nk,nk...->n...", alpha, found[name]).clamp(min=0).detach()


@pytest.mark.slow
@pytest.mark.parametrize("fusion", ["sum", "concat"])
@pytest.mark.parametrize("names", [("left", "high"), ("low", "right", "left"), ("high",)])
def test_the_textbook_formula(names, fusion):
    net, inputs = make(names, fusion)
    fused = class_maps(net, inputs, CLASSES)
    assert list(fused) == list(names)
    for name in names:
        own = class_maps(net, inputs, CLASSES, name)
        assert list(own) == [name] and fused[name].shape == (3, *STREAMS[name][2])
        for found, is_own in ((fused[name], False), (own[name], True)):
            expected = textbook(net, inputs, CLASSES, name, is_own)
            assert found.max() > 0 and torch.allclose(found, expected, rtol=1e-4, atol=1e-7)
            assert not found.requires_grad


def test_late_fusion_asks_each_stream_alone_and_concatenation_all_together():
    for fusion, equal in (("sum", True), ("concat", False)):
        net, inputs = make(("left", "high"), fusion)
        fused = class_maps(net, inputs, CLASSES)
        for name in net.encoders:
            same = torch.allclose(fused[name], class_maps(net, inputs, CLASSES, name)[name], rtol=1e-4, atol=1e-8)
            assert same == equal


@pytest.mark.parametrize("name", ["left", "right", "high"])
def test_a_linear_classifier_on_averaged_maps_gives_zhous_maps_over_the_number_of_places(name):
    """Zhou et al. (CVPR 2016), Equation 2: M_c = sum over k of w_ck f_k; Grad-CAM's weights are w_ck / Z."""
    net, inputs = make((name,))
    found, _ = maps_of(net, inputs)
    weights = net.fusion.classifiers[name].weight[CLASSES]
    zhou = torch.einsum("nk,nk...->n...", weights, found[name])
    expected = zhou.clamp(min=0).detach() / zhou[0].numel()
    assert torch.allclose(class_maps(net, inputs, CLASSES)[name], expected, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize(("rows", "columns"), [((0, 16), (56, 72)), ((80, 96), (0, 16))])
def test_a_map_shows_the_place_that_made_the_class(rows, columns):
    """Where only one corner of what is heard is not plain, the map changes most in that corner."""
    net, _ = make(("low",))
    with torch.no_grad():
        net.fusion.classifiers["low"].weight.fill_(1.0)
    plain = torch.zeros(1, 1, 96, 72)
    marked = plain.clone()
    marked[..., slice(*rows), slice(*columns)] = 5.0
    there, nowhere = (class_maps(net, {"low": x}, CLASSES[:1])["low"][0] for x in (marked, plain))
    row, column = divmod(int((there - nowhere).abs().argmax()), 9)
    assert rows[0] // 8 - 1 <= row <= rows[1] // 8 and columns[0] // 8 - 1 <= column <= columns[1] // 8


def test_the_network_is_judged_in_evaluation_and_left_as_it_was():
    net, inputs = make(("left", "high"))
    expected = class_maps(net, inputs, CLASSES)
    net.train()
    net.encoders["left"].eval()
    before = copy.deepcopy(net.state_dict())
    found = class_maps(net, inputs, CLASSES)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert net.training and net.encoders["high"].maps.training and not net.encoders["left"].training
    assert all(torch.equal(x, before[key]) for key, x in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())


def test_bytes_are_pictures_too():
    net, _ = make(("left",))
    pictures = torch.randint(256, (3, *STREAMS["left"][1]), dtype=torch.uint8)
    scaled = {"left": pictures.float() / 127.5 - 1}
    stored = {"left": pictures.movedim(1, -1).contiguous()}
    found, expected = (class_maps(net, inputs, CLASSES)["left"] for inputs in (stored, scaled))
    assert torch.allclose(found, expected, atol=1e-7)


def test_features_have_no_places():
    net = Net({"left": Projection(6, 0.01), "high": make(("high",))[0].encoders["high"]}, 4)
    inputs = {"left": torch.randn(3, 6), "high": torch.randn(3, 1, 64, 128)}
    with pytest.raises(SettingError, match=r"no activation map of left(.|\n)*Projection, an encoder without maps"):
        class_maps(net, inputs, CLASSES)
    assert set(class_maps(net, inputs, CLASSES, "high")) == {"high"} and without_maps(net) == ("left",)
    with pytest.raises(SettingError, match=r"no such logit(.|\n)*fused, left, high"):
        class_maps(net, inputs, CLASSES, "smell")


@pytest.mark.parametrize("encoder", [I3d, Lite0, BnInception, Aisfx])
def test_the_place_for_the_maps_holds_no_weights_and_changes_no_feature(encoder):
    name = next(name for name, stream in STREAMS.items() if stream[0] is encoder)
    net, inputs = make((name,))
    found, features = maps_of(net, inputs)
    assert not any(key.startswith("maps") for key in net.encoders[name].state_dict())
    pooled = found[name].flatten(2).mean(dim=2) if name != "low" else found[name].mean(dim=2).amax(dim=2)
    assert torch.allclose(features[name], pooled, atol=1e-6)
    assert found[name].shape[2:] == STREAMS[name][2]
    assert F.relu(found[name]).equal(found[name])
