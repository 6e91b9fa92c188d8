"""How often the paired test finds a gain where there is none: hits drawn from a model in which two methods are equals.

python examples/size_of_the_test.py [NUMBER]
"""

import sys

import numpy as np

from egonorm.metrics import paired_test

MIXES = {
    "neither": (0.0, 0.0),
    "seeds": (0.6, 0.0),
    "clips": (0.0, 2.0),
    "both": (0.6, 2.0),
    "mostly seeds": (1.5, 0.5),
}
"""How much the two methods differ by the seed and by the clip: standard deviations on the logit scale."""


def hits(rng, logits, checkpoints):
    """The share of a run's checkpoints that are right on each clip; a run has its own luck with a clip."""
    luck = rng.normal(0, 0.5, logits.shape)
    return rng.binomial(checkpoints, 1 / (1 + np.exp(-logits - luck))) / checkpoints


def one_shift(rng, num_seeds, num_clips, by_seed, by_clip, checkpoints):
    """`seed clip`: one method's hits minus the other's, in one shift."""
    hardness = rng.normal(0, 2, (1, num_clips))
    taste = rng.normal(0, by_seed, (num_seeds, 1)) / 2 + rng.normal(0, by_clip, (1, num_clips)) / 2
    return hits(rng, hardness + taste, checkpoints) - hits(rng, hardness - taste, checkpoints)


def six_shifts(rng, num_seeds, sizes, by_seed, by_clip, checkpoints):
    """The same for the mean over six shifts: for each target, the mean over its two sources.

    As in single-source generalisation, a network is judged on both targets, so that these share the luck of its seed, and both
    sources are judged on the same clips of a target.
    """
    of_source = rng.normal(0, by_seed, (3, num_seeds, 1))
    targets = []
    for target, size in enumerate(sizes):
        hardness, clips = rng.normal(0, 2, (1, size)), rng.normal(0, by_clip, (1, size))
        tastes = [(of_source[source] + clips) / 2 for source in range(3) if source != target]
        gains = [hits(rng, hardness + t, checkpoints) - hits(rng, hardness - t, checkpoints) for t in tastes]
        targets.append(np.mean(gains, axis=0))
    return targets


def share_below(levels, p_values):
    """In percent."""
    return " / ".join(f"{100 * np.mean(np.array(p_values) < level):.1f}" for level in levels)


def main(number: int) -> None:
    """Print the sizes at the levels 5 % and 1 %, in percent."""
    layouts = [(s, c) for s in (1, 2, 3, 5) for c in (40, 400)]
    for checkpoints in (9, 1):
        titles = [f"{s} x {c}" for s, c in layouts] + ["mean, 3 seeds", "mean, 5 seeds"]
        print(f"\n{number} draws, found at 5 % / 1 %\n\n| {checkpoints} checkpoints | " + " | ".join(titles) + " |")
        print("|---" * (len(titles) + 1) + "|")
        for k, (name, mix) in enumerate(MIXES.items()):
            cells = []
            for s, c in layouts:
                rng = np.random.default_rng([0, checkpoints, k, s, c])
                p = [paired_test([one_shift(rng, s, c, *mix, checkpoints)]).p for _ in range(number)]
                cells.append(share_below((0.05, 0.01), p))
            for s in (3, 5):
                rng = np.random.default_rng([1, checkpoints, k, s])
                draws = (six_shifts(rng, s, (435, 750, 974), *mix, checkpoints) for _ in range(number))
                cells.append(share_below((0.05, 0.01), [paired_test(d, (1 / 3,) * 3).p for d in draws]))
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
