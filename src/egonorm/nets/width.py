"""Two sizes of every network: what a factor on the width makes of a number of channels."""


def scaled(channels: int, width: float) -> int:
    """`channels` times `width`, to a multiple of 4, at least 4."""
    return max(4, 4 * round(channels * width / 4))
