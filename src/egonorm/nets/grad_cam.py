"""Class activation maps: where in its pictures and sounds a network found a class (Grad-CAM, through captum)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import cast

from jaxtyping import Float, Int
from torch import Tensor, nn

from egonorm.core import SettingError
from egonorm.core.training import FUSED
from egonorm.nets.net import Net


def class_maps(
    net: Net, inputs: Mapping[str, Tensor], classes: Int[Tensor, " clip"], logit: str = FUSED
) -> dict[str, Float[Tensor, "clip ..."]]:
    """How much each place of a stream's last maps speaks for a class, zero where it speaks against it (evaluation mode).

    Grad-CAM (Selvaraju et al., ICCV 2017): the maps that are averaged into the feature, each weighted by the mean over all
    places of the logit's gradient, summed, and cut off at zero. Under late fusion a stream's map for the fused logit is the
    one for its own; a linear classifier on averaged maps makes it the map of Zhou et al. (CVPR 2016) over the number of places.

    Args:
        inputs: per modality, as the network takes them.
        classes: the class asked about, for each clip.
        logit: `fused`, which gives a map of every stream; or a modality, which gives the map of that stream for the logit
            that it gives alone.

    Returns:
        Per modality `clip (frame) height width`, as coarse as the network's last maps: sound has frequency for height, low
        ones first, and time for width.

    Raises:
        SettingError: for a stream without maps, and for a logit that the network does not have.
    """
    names = tuple(net.encoders)
    if logit not in (FUSED, *names):
        raise SettingError(
            "There is no such logit.", got=logit, expected=", ".join((FUSED, *names)), remedy="Choose one of these."
        )
    asked = names if logit == FUSED else (logit,)
    layers = {name: _maps_of(name, net.encoders[name]) for name in asked}

    def forward(*tensors: Tensor) -> Tensor:
        features = net.features(dict(zip(names, tensors, strict=True)))
        return net.classify(features) if logit == FUSED else net.classify_each(features)[logit]

    tensors = tuple(inputs[name] for name in names)
    with _judging(net):
        return {name: _grad_cam(forward, layer, tensors, classes) for name, layer in layers.items()}


def without_maps(net: Net) -> tuple[str, ...]:
    """The streams whose encoders declare no `maps`, as those of features, which have no place."""
    return tuple(name for name, encoder in net.encoders.items() if not hasattr(encoder, "maps"))


def _grad_cam(forward, layer: nn.Module, tensors: tuple[Tensor, ...], classes: Tensor) -> Tensor:
    from captum.attr import LayerGradCam

    found = LayerGradCam(forward, layer).attribute(tensors, target=classes, relu_attributions=True)
    return found.detach().float().squeeze(1)


def _maps_of(name: str, encoder: nn.Module) -> nn.Module:
    if not hasattr(encoder, "maps"):
        raise SettingError(
            f"There is no activation map of {name}.",
            got=f"{type(encoder).__name__}, an encoder without maps, as those of features, which have no place",
            expected="an encoder of pictures or sound whose last maps pass `maps`",
            remedy="Use a run that was trained on the media themselves; an encoder of yours has to declare `maps`.",
        )
    return cast(nn.Module, encoder.maps)


@contextmanager
def _judging(net: Net) -> Iterator[None]:
    """The network in evaluation, afterwards as it was."""
    modes = {module: module.training for module in net.modules()}
    net.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
