"""What each stream of the network is shown: what has to be read for it, how that is varied in training, and its tensors.

An input has two moments: `augment` where a clip is read, in a process of its own perhaps, and `to_inputs` for a whole batch on
the device that trains. Between them travels as little as possible: bytes of pictures, samples of sound.
"""

from dataclasses import dataclass, field
from random import Random
from typing import ClassVar, Literal, Protocol, cast, runtime_checkable

from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from egonorm.core import DataError
from egonorm.data.windows import Span
from egonorm.signal import SoundLook, Spectrogram

PICTURES, FLOW, SOUND, FEATURES = "pictures", "flow", "sound", "features"
"""What the inputs of this file read."""


@runtime_checkable
class Input(Protocol):
    """How the network looks at one modality. A new one is a frozen dataclass with these four, here or in a user's module."""

    @property
    def reads(self) -> str:
        """What its reader gives, which says what a data set may ask it for.

        "pictures" and "flow": frames, for inputs with a `span` and a `short_side`; "sound": waveforms, for those with a
        `spectrogram`; "features": vectors, for those with a `size`; or a word of one's own, which one's own data set knows.
        """
        ...

    @property
    def varies(self) -> bool:
        """Whether training draws how a clip is shown."""
        ...

    def augment(self, clip: Tensor, random: Random | None, /) -> Tensor:
        """What the reader gave of a clip's windows, as it is shown: drawn from `random`, or in testing, which has none, fixed."""
        ...

    def to_inputs(self, batch: Tensor, /) -> Tensor:
        """What `augment` gave of many clips, as their encoder takes it."""
        ...


@runtime_checkable
class FrameInput(Input, Protocol):
    """An input that reads pictures or flow."""

    @property
    def span(self) -> Span:
        """How the frames of a window are spread over time."""
        ...

    @property
    def short_side(self) -> int:
        """The frames' shorter side as they are read."""
        ...


@runtime_checkable
class SoundInput(Input, Protocol):
    """An input that reads sound."""

    @property
    def spectrogram(self) -> SoundLook:
        """What becomes of the waveform, which decides its rate and length."""
        ...


@runtime_checkable
class VectorInput(Input, Protocol):
    """An input that reads features."""

    @property
    def size(self) -> int:
        """Numbers in a vector."""
        ...


def as_frame_input(given: Input, modality: str) -> FrameInput:
    """The input of a modality of frames. DataError if it reads something else, or does not say how."""
    return cast(FrameInput, _reading(given, modality, (PICTURES, FLOW), ("span", "short_side")))


def as_sound_input(given: Input, modality: str) -> SoundInput:
    """The input of a modality of sound. DataError if it reads something else, or does not say how."""
    return cast(SoundInput, _reading(given, modality, (SOUND,), ("spectrogram",)))


def as_vector_input(given: Input, modality: str) -> VectorInput:
    """The input of a modality of features. DataError if it reads something else, or does not say how."""
    return cast(VectorInput, _reading(given, modality, (FEATURES,), ("size",)))


def _reading(given: Input, modality: str, wanted: tuple[str, ...], needed: tuple[str, ...]) -> Input:
    missing = [name for name in needed if not hasattr(given, name)]
    if given.reads not in wanted or missing:
        without = f" without {' and '.join(missing)}" if given.reads in wanted else ""
        raise DataError(
            f"The stream {modality} cannot look at these data.",
            got=f"{type(given).__name__}, which reads {given.reads}{without}",
            expected=f"an input that reads {' or '.join(wanted)}, with {' and '.join(needed)}",
            remedy="Give the stream another input, or another modality of the data.",
        )
    return given


@dataclass(frozen=True)
class VideoInput:
    """Frames of a window, cropped to squares. Training draws one crop and one flip a clip, testing takes the centre.

    The draw is Temporal Segment Networks' multi-scale crop, which the RNA authors' loaders use: a width and a height that
    are one of `scales` times the shorter side and at most one scale apart, at one of 13 places, resized to `crop`; then a
    horizontal flip, one time in two.
    """

    varies: ClassVar[bool] = True

    span: Span = field(default_factory=Span)
    short_side: int = 256
    """The frames' shorter side as they are read."""
    crop: int = 224
    """Side of the square that the network sees."""
    scales: tuple[float, ...] = (1.0, 0.875, 0.75)
    displacement: bool = False
    """Whether the channels are displacements to the right and down, as optical flow's: a flip then turns the sign of the
    first (255 minus the byte). Crops and sizes leave the values as they are, in pixels of the stored pictures."""

    @property
    def reads(self) -> str:
        """Frames of pictures, or of flow."""
        return FLOW if self.displacement else PICTURES

    def augment(
        self, frames: UInt8[Tensor, "window frame height width channel"], random: Random | None
    ) -> UInt8[Tensor, "window frame {self.crop} {self.crop} channel"]:
        """Crop, resize and flip; without `random`, the centre crop of testing. The values stay bytes."""
        height, width, channels = frames.shape[2:]
        if self.displacement and channels != 2:
            raise DataError(
                "These are no displacements.",
                got=f"{channels} channels",
                expected="2: right and down",
                remedy="Read optical flow, or leave out `displacement`.",
            )
        if random is None:
            top, left, size = (height - self.crop) // 2, (width - self.crop) // 2, (self.crop, self.crop)
        else:
            top, left, size = self._draw(height, width, random)
        pictures = frames[:, :, top : top + size[0], left : left + size[1]]
        if size != (self.crop, self.crop):
            pictures = resized(pictures.flatten(0, 1), (self.crop, self.crop)).unflatten(0, frames.shape[:2])
        if random is not None and random.random() < 0.5:
            pictures = flipped(pictures)
            if self.displacement:
                pictures[..., 0] = 255 - pictures[..., 0]
        return pictures

    def to_inputs(self, pictures: UInt8[Tensor, "clip ..."]) -> UInt8[Tensor, "clip ..."]:
        """The bytes as they are; each encoder normalises them in its own way."""
        return pictures

    def _draw(self, height: int, width: int, random: Random) -> tuple[int, int, tuple[int, int]]:
        sizes = [int(min(height, width) * scale) for scale in self.scales]
        numbers = range(len(sizes))
        size = random.choice([(sizes[a], sizes[b]) for a in numbers for b in numbers if abs(a - b) <= 1])
        down, right = random.choice(_PLACES)
        return down * ((height - size[0]) // 4), right * ((width - size[1]) // 4), size


_PLACES = tuple((y, x) for y in range(5) for x in range(5) if (y % 2 == x % 2 == 0) or (y % 2 == x % 2 == 1))
"""Thirteen places in quarters of the free room: corners, edges' middles, centre, and the four in between."""


@dataclass(frozen=True)
class AudioInput:
    """The log spectrogram of the sound around the window's middle; nothing is varied (Temporal Binding Network)."""

    reads: ClassVar[str] = SOUND
    varies: ClassVar[bool] = False

    spectrogram: SoundLook = field(default_factory=Spectrogram)

    def augment(
        self, waveform: Float[Tensor, "window sample"], random: Random | None
    ) -> Float[Tensor, "window sample"]:
        """The waveform as it is."""
        return waveform

    def to_inputs(self, waveform: Float[Tensor, "clip sample"]) -> Float[Tensor, "clip 1 frequency time"]:
        """The spectrograms."""
        return self.spectrogram(waveform)


Scaling = Literal["columns", "length", "none"]
"""What is done to stored features before a network gets them, by numbers of the sources' training clips: every column is
standardised, and each modality keeps its share of the length; or all are multiplied by one factor; or they stay as they are."""


MOST_NUMBERS = 1 << 24
"""Of a feature."""


@dataclass(frozen=True)
class FeatureInput:
    """A feature vector that was computed before; nothing is varied."""

    reads: ClassVar[str] = FEATURES
    varies: ClassVar[bool] = False

    size: int
    """Numbers in the vector."""
    scale: float = 1.0
    """What it is multiplied by before anything else."""
    scaling: Scaling = "none"

    def __post_init__(self):
        if not 1 <= self.size <= MOST_NUMBERS:
            raise DataError(
                "A feature cannot be of this size.",
                got=self.size,
                expected=f"1 to {MOST_NUMBERS} numbers",
                remedy="Correct size.",
            )

    def augment(
        self, feature: Float[Tensor, "window feature"], random: Random | None
    ) -> Float[Tensor, "window feature"]:
        """The vector as it is."""
        return feature

    def to_inputs(self, features: Float[Tensor, "clip feature"]) -> Float[Tensor, "clip feature"]:
        """The vectors times the scale."""
        return features * self.scale


def resized(
    pictures: UInt8[Tensor, "picture height width channel"], size: tuple[int, int]
) -> UInt8[Tensor, "picture h w channel"]:
    """Pictures of another size, bilinear with antialiasing; the values stay bytes."""
    pictures = pictures.contiguous().permute(0, 3, 1, 2)
    return interpolate(pictures, size, mode="bilinear", antialias=True).permute(0, 2, 3, 1).contiguous()


def flipped(pictures: UInt8[Tensor, "*row height width channel"]) -> UInt8[Tensor, "*row height width channel"]:
    """Right and left exchanged. Torch does it quickly where it knows the channels as such, though they lie last in memory."""
    rows = pictures.shape[:-3]
    return pictures.flatten(0, -4).permute(0, 3, 1, 2).flip(-1).permute(0, 2, 3, 1).unflatten(0, rows)
