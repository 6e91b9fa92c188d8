"""What features that were computed before decide for whoever trains on them."""

from dataclasses import dataclass, field

from egonorm.data.sampling import Span


@dataclass(frozen=True)
class Stored:
    """The sizes of a store's features and the windows that they were computed of."""

    sizes: dict[str, int]
    """Numbers in a feature of each modality, in the order of the pairs."""
    span: Span
    """The window that a feature shows."""
    num_windows: int
    """Windows of a clip."""
    learnt: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Per modality, the domains whose labels the encoder was trained on."""
