"""Statistics against known answers and scipy, ties in chains, and their speed's order of magnitude by shape alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from leaderboard import statistics
from leaderboard.statistics import (
    RESAMPLES,
    best_probability,
    holm,
    intervals,
    paired,
    resampled_means,
    resampled_means_of,
    sign_flip_p,
    tied_ranks,
)


@pytest.fixture(scope="module")
def scores() -> np.ndarray:
    """Three methods on 76 images that differ much more than the methods do: a clear one, two close ones."""
    rng = np.random.default_rng(0)
    images = rng.normal(26, 3, 76)
    return np.stack([images + 0.5 + rng.normal(0, 0.2, 76), images + rng.normal(0, 0.2, 76), images + 0.02])


def test_intervals_are_those_of_scipy(scores: np.ndarray) -> None:
    for row, (low, high) in zip(scores, intervals(scores), strict=True):
        theirs = stats.bootstrap((row,), np.mean, method="percentile", n_resamples=RESAMPLES, rng=1).confidence_interval
        assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.03)


def test_an_interval_holds_the_mean_in_about_95_of_100_draws() -> None:
    rng = np.random.default_rng(3)
    drawn = rng.normal(0, 1, (400, 60))
    low, high = intervals(drawn).T
    assert 0.91 <= np.mean((low <= 0) & (high >= 0)) <= 0.98


def test_a_paired_difference_is_found_where_the_intervals_overlap(scores: np.ndarray) -> None:
    ends = intervals(scores)
    assert ends[0, 0] < ends[1, 1]
    found = paired(scores)
    assert found.low[0, 1] > 0
    assert not found.tied[0, 1]
    assert found.tied[1, 2]
    np.testing.assert_allclose(found.low, -found.high.T)
    np.testing.assert_allclose(found.difference, scores.mean(1)[:, None] - scores.mean(1)[None], atol=1e-12)
    assert found.p[0, 1] == pytest.approx(1 / (RESAMPLES + 1))
    assert found.p[1, 2] > 0.05
    assert found.p_holm[0, 1] == pytest.approx(3 / (RESAMPLES + 1))


def test_sign_flips_are_exact_for_few_images_and_near_scipys_for_many() -> None:
    rng = np.random.default_rng(5)
    few, many = rng.normal(0.4, 1, (3, 9)), rng.normal(0.25, 1, (3, 40))
    for rows, tolerance in ((few, 1e-9), (many, 0.01)):
        for row, p in zip(rows, sign_flip_p(rows), strict=True):
            theirs = stats.permutation_test(
                (row,), lambda x: abs(np.mean(x)), permutation_type="samples", alternative="greater",
                n_resamples=20000, rng=2,
            )  # fmt: skip
            assert p == pytest.approx(theirs.pvalue, abs=tolerance)


def test_holm_never_goes_down_and_never_over_one() -> None:
    assert holm(np.array([0.5, 0.001, 0.4, 0.02])).tolist() == pytest.approx([0.8, 0.004, 0.8, 0.06])
    assert holm(np.array([])).tolist() == []


def test_the_probability_of_being_best_sums_to_one(scores: np.ndarray) -> None:
    shares = best_probability(scores, True)
    assert shares.sum() == pytest.approx(1)
    assert shares[0] > 0.999
    assert best_probability(scores, False)[0] < 0.001
    assert best_probability(np.ones((2, 5)), True).tolist() == [0.5, 0.5]


def test_ties_share_the_best_rank_and_a_chain_ends_where_the_leader_wins() -> None:
    rng = np.random.default_rng(0)
    base, wobble = rng.normal(25, 2, 35), rng.normal(0, 1, (3, 35))
    wobble -= wobble.mean(axis=1, keepdims=True)
    chain = np.stack([base + shift + 0.06 * part for shift, part in zip((0.05, 0.025, 0.0), wobble, strict=True)])
    found = paired(chain)
    assert (found.tied[0, 1], found.tied[1, 2], found.tied[0, 2]) == (True, True, False)
    assert tied_ranks([0, 1, 2], found) == [1, 1, 3]
    twins = paired(np.stack([base, base, base - 1, base - 1]))
    assert tied_ranks([0, 1, 2, 3], twins) == [1, 1, 3, 3]
    assert tied_ranks([], found) == []


def test_identical_images_have_no_interval_and_tie_among_themselves() -> None:
    perfect = np.full(20, np.inf)
    scores = np.stack([perfect, perfect, np.linspace(20, 30, 20)])
    found = paired(scores)
    assert np.isnan(intervals(scores)[:2]).all()
    assert np.isfinite(intervals(scores)[2]).all()
    assert tied_ranks([0, 1, 2], found) == [1, 1, 3]


def test_the_same_scores_give_the_same_numbers(scores: np.ndarray) -> None:
    np.testing.assert_array_equal(resampled_means(scores), resampled_means(scores))
    assert not np.array_equal(resampled_means(scores), resampled_means(scores, seed=1))


def test_many_images_are_drawn_in_blocks_that_give_the_same_numbers(
    scores: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, means, few = paired(scores), resampled_means(scores), sign_flip_p(scores[:, :9])
    monkeypatch.setattr(statistics, "WHOLE_VALUES", 0)
    monkeypatch.setattr(statistics, "BLOCK_VALUES", 76 * 700)
    sizes = [block.size for draw in (statistics._resamples, statistics._signs) for block in draw(76, RESAMPLES, 0)]
    assert (max(sizes), sum(sizes)) == (76 * 700, 2 * 76 * RESAMPLES)
    in_blocks = paired(scores)
    np.testing.assert_allclose(resampled_means(scores), means, rtol=1e-14)
    np.testing.assert_allclose(in_blocks.low, whole.low, atol=1e-12)
    np.testing.assert_array_equal(in_blocks.p, whole.p)
    np.testing.assert_array_equal(sign_flip_p(scores[:, :9]), few)


def test_tables_of_as_many_images_share_one_draw(scores: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    original = statistics._resamples

    def counted(images: int, resamples: int, seed: int) -> object:
        drawn.append(images)
        return original(images, resamples, seed)

    tables = [scores, scores[:1], scores[:, :40]]
    apart = [resampled_means(table) for table in tables]
    monkeypatch.setattr(statistics, "_resamples", counted)
    for together, alone in zip(resampled_means_of(tables), apart, strict=True):
        np.testing.assert_array_equal(together, alone)
    assert drawn == [76, 40]
