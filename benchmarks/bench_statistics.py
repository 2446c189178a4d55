"""The leaderboard's statistics against a plain loop over SciPy's bootstrap.

    python benchmarks/bench_statistics.py [--methods 20] [--images 76] [--repeats 3]

Ours draws the resamples once for all methods and metrics; the loop asks `scipy.stats.bootstrap` for the interval of
every mean and, paired, of every difference of two means, with as many resamples.
"""

from __future__ import annotations

import argparse
import itertools

import machine
import numpy as np
from numpy.typing import NDArray
from rows import Row, markdown

from leaderboard import statistics as ours

PEER_REPEATS = 1
FLOOR = (
    "Statistics: the resamples drawn once, their means by one matrix product, and the percentiles of every difference "
    "from it; no permutation test."
)


def made_scores(methods: int, images: int) -> NDArray[np.float64]:
    """Return scores, (methods, images), in dB: images differ by 2 dB, methods by tenths, single ones by 0.2."""
    rng = np.random.default_rng(0)
    image, method = rng.normal(27, 2, images), np.sort(rng.normal(0, 0.3, methods))
    return image + method[:, None] + rng.normal(0, 0.2, (methods, images))


def all_of_ours(scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], ours.Paired]:
    """Return intervals and comparison, nothing remembered from a run before."""
    ours._kept_resamples.cache_clear()
    ours._kept_signs.cache_clear()
    means = ours.resampled_means(scores)
    ours.best_probability(scores, True, means)
    return ours.intervals(scores, means), ours.paired(scores, means)


def by_scipy(scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the intervals of the means and, (methods, methods, 2), of the differences."""
    from scipy.stats import bootstrap

    settings = {"n_resamples": ours.RESAMPLES, "method": "percentile", "rng": np.random.default_rng(0)}
    of_means = [bootstrap((row,), np.mean, **settings).confidence_interval for row in scores]
    of_differences = np.zeros((len(scores), len(scores), 2))

    def difference(a: NDArray[np.float64], b: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
        return np.asarray((a - b).mean(axis=axis))

    for i, j in itertools.combinations(range(len(scores)), 2):
        found = bootstrap((scores[i], scores[j]), difference, paired=True, vectorized=True, **settings)
        of_differences[i, j] = found.confidence_interval
    return np.array(of_means), of_differences


def floor(scores: NDArray[np.float64]) -> None:
    counts = np.random.default_rng(0).multinomial(
        scores.shape[1], np.full(scores.shape[1], 1 / scores.shape[1]), size=ours.RESAMPLES
    )
    means = counts / scores.shape[1] @ scores.T
    first, second = np.triu_indices(len(scores), 1)
    np.percentile(means[:, first] - means[:, second], (2.5, 97.5), axis=0)


def rows(methods: int = 20, images: int = 76, repeats: int = 3) -> list[Row]:
    """Return the row."""
    scores = made_scores(methods, images)
    seconds = machine.alternating({"ours": lambda: all_of_ours(scores), "floor": lambda: floor(scores)}, repeats)
    theirs = machine.alternating({"peer": lambda: by_scipy(scores)}, PEER_REPEATS)["peer"]
    _, comparison = all_of_ours(scores)
    _, differences = by_scipy(scores)
    upper = np.triu_indices(methods, 1)
    apart = max(
        float(np.abs(own[upper] - differences[..., end][upper]).max())
        for end, own in enumerate((comparison.low, comparison.high))
    )
    agreement = f"ends of intervals up to {apart:.1e} dB apart, other draws"
    what = f"Leaderboard's statistics, {methods} methods, {images} images, {ours.RESAMPLES} resamples"
    peer = "a loop over scipy.stats.bootstrap, without the permutation test"
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
