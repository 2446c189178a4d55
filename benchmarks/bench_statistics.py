"""The leaderboard's statistics against a plain loop over SciPy's bootstrap and permutation test.

    python benchmarks/bench_statistics.py [--methods 20] [--images 76] [--repeats 3]

sdd-bench draws the sign patterns once for all pairs of methods. The loop calls `scipy.stats.bootstrap` for the interval
of every mean and, paired, of every difference of two means, and `scipy.stats.permutation_test` for the p value of every
difference, with as many resamples. Only sdd-bench corrects for the number of pairs.
"""

from __future__ import annotations

import argparse
import itertools

import machine
import numpy as np
from numpy.typing import NDArray
from rows import Row, markdown

from leaderboard.intervals import mean_intervals
from leaderboard.resampling import best_probability
from leaderboard.sign_flips import RESAMPLES
from leaderboard.statistics import paired

PEER_REPEATS = 1
FLOOR = "Statistics: the sign patterns drawn once and one matrix product with the differences of all pairs."


def made_scores(methods: int, images: int) -> NDArray[np.float64]:
    """Return scores, (methods, images), in dB; images vary by 2 dB, methods by 0.3 dB, single scores by 0.2 dB."""
    rng = np.random.default_rng(0)
    image, method = rng.normal(27, 2, images), np.sort(rng.normal(0, 0.3, methods))
    return image + method[:, None] + rng.normal(0, 0.2, (methods, images))


def all_of_ours(scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of the intervals of all means, and of all differences, (methods, methods, 2)."""
    best_probability(scores, True)
    comparison = paired(scores)
    return mean_intervals(scores), np.stack([comparison.low, comparison.high], axis=-1)


def by_scipy(scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the intervals of the means and, (methods, methods, 2), of the differences."""
    from scipy.stats import bootstrap, permutation_test

    settings = {"n_resamples": RESAMPLES, "method": "percentile", "rng": np.random.default_rng(0)}
    of_means = [bootstrap((row,), np.mean, **settings).confidence_interval for row in scores]
    of_differences = np.zeros((len(scores), len(scores), 2))

    def difference(a: NDArray[np.float64], b: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
        return np.asarray((a - b).mean(axis=axis))

    for i, j in itertools.combinations(range(len(scores)), 2):
        found = bootstrap((scores[i], scores[j]), difference, paired=True, vectorized=True, **settings)
        of_differences[i, j] = found.confidence_interval
        signs = {"permutation_type": "samples", "n_resamples": RESAMPLES, "rng": settings["rng"], "vectorized": True}
        permutation_test((scores[i] - scores[j],), lambda d, axis: d.mean(axis=axis), **signs)
    return np.array(of_means), of_differences


def floor(scores: NDArray[np.float64]) -> None:
    signs = 1.0 - 2.0 * np.random.default_rng(0).integers(0, 2, (RESAMPLES, scores.shape[1]))
    first, second = np.triu_indices(len(scores), 1)
    np.abs(signs @ (scores[first] - scores[second]).T)


def rows(methods: int = 20, images: int = 76, repeats: int = 3) -> list[Row]:
    """Return the row of the table."""
    scores = made_scores(methods, images)
    seconds = machine.alternating({"ours": lambda: all_of_ours(scores), "floor": lambda: floor(scores)}, repeats)
    theirs = machine.alternating({"peer": lambda: by_scipy(scores)}, PEER_REPEATS)["peer"]
    own, theirs_ends = all_of_ours(scores)[1], by_scipy(scores)[1]
    upper = np.triu_indices(methods, 1)
    apart = float(np.abs(own[upper] - theirs_ends[upper]).max())
    agreement = f"ends of intervals up to {apart:.1e} dB apart: Student's t and percentiles"
    what = f"Leaderboard's statistics, {methods} methods, {images} images, {RESAMPLES} resamples"
    peer = "a loop over scipy.stats.bootstrap and permutation_test"
    return [Row(what, seconds["ours"], peer, theirs, agreement, seconds["floor"], FLOOR)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", type=int, default=20)
    parser.add_argument("--images", type=int, default=76)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print(machine.describe("numpy", "scipy"))
    print("\n".join(markdown(rows(arguments.methods, arguments.images, arguments.repeats))))


if __name__ == "__main__":
    main()
