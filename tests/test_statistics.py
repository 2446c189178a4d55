"""Statistics against known values and SciPy: intervals, sign flips, separations, ranks and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from leaderboard import resampling, sign_flips
from leaderboard.intervals import mean_intervals
from leaderboard.resampling import RESAMPLES, best_probability, resampled_means
from leaderboard.sign_flips import holm, least_p, sign_flip_p
from leaderboard.statistics import Paired, paired, ranks, shared


@pytest.fixture(scope="module")
def scores() -> np.ndarray:
    """Three methods on 76 images that differ much more than the methods do: one distinct, two similar."""
    rng = np.random.default_rng(0)
    images = rng.normal(26, 3, 76)
    return np.stack([images + 0.5 + rng.normal(0, 0.2, 76), images + rng.normal(0, 0.2, 76), images + 0.02])


def places(comparison: Paired, higher: bool = True) -> list[tuple[int, int]]:
    return list(zip(*(ends.tolist() for ends in ranks(comparison, higher)), strict=True))


@pytest.mark.parametrize("images", [2, 3, 6, 40])
def test_the_interval_of_a_symmetric_sample_is_students(images: int) -> None:
    half = np.random.default_rng(images).normal(0, 1, images)
    sample = np.concatenate([half, -half]) + 3
    theirs = stats.ttest_1samp(sample, 0).confidence_interval(0.95)
    assert mean_intervals(sample[None])[0] == pytest.approx([theirs.low, theirs.high])


def test_the_end_on_the_longer_tail_is_moved_out_and_the_other_stays() -> None:
    sample = np.array([0.0, 0.1, 0.0, 0.2, 0.1, 2.0])
    theirs = stats.ttest_1samp(sample, 0).confidence_interval(0.95)
    low, high = mean_intervals(sample[None])[0]
    assert low == pytest.approx(theirs.low)
    assert high > theirs.high + 0.3
    assert mean_intervals(-sample[None])[0] == pytest.approx([-high, -low])


@pytest.mark.parametrize(("name", "most", "width"), [("normal", 0.97, 1.12), ("gamma", 0.97, 1.2), ("t3", 0.975, 1.15)])
@pytest.mark.parametrize("images", [5, 7, 20])
def test_intervals_hold_the_mean_as_often_as_they_say(name: str, most: float, width: float, images: int) -> None:
    rng = np.random.default_rng(images)
    size = (20_000, images)
    drawn = {
        "normal": rng.normal,
        "gamma": lambda size: rng.gamma(2, 1, size) - 2,
        "t3": lambda size: rng.standard_t(3, size),
    }
    sample = drawn[name](size=size)
    low, high = mean_intervals(sample).T
    assert 0.927 <= np.mean((low <= 0) & (high >= 0)) <= most
    student = 2 * stats.t.ppf(0.975, images - 1) * sample.std(axis=1, ddof=1) / np.sqrt(images)
    assert 1 <= np.mean(high - low) / np.mean(student) <= width


def test_one_image_has_no_interval_and_equal_scores_have_one_without_width() -> None:
    assert np.isnan(mean_intervals(np.ones((2, 1)))).all()
    assert mean_intervals(np.full((1, 7), 26.1)).tolist() == [pytest.approx([26.1, 26.1])]


def test_a_paired_difference_is_found_where_the_intervals_overlap(scores: np.ndarray) -> None:
    ends = mean_intervals(scores)
    assert ends[0, 0] < ends[1, 1]
    found = paired(scores)
    assert found.low[0, 1] > 0
    assert found.separated.tolist() == [[False, True, True], [True, False, False], [True, False, False]]
    np.testing.assert_allclose(found.low, -found.high.T)
    np.testing.assert_allclose(found.difference, scores.mean(1)[:, None] - scores.mean(1)[None], atol=1e-12)
    assert found.p[0, 1] == found.p_adjusted[0, 1] == pytest.approx(1 / (RESAMPLES + 1))
    assert found.p[1, 2] > 0.05
    assert found.p_holm[0, 1] == pytest.approx(3 / (RESAMPLES + 1))
    assert found.median[0, 1] == pytest.approx(np.median(scores[0] - scores[1]))
    assert found.above[0, 1] == np.mean(scores[0] > scores[1]) == 1 - found.above[1, 0]


def test_sign_flips_are_exact_for_few_images_and_near_scipys_for_many() -> None:
    rng = np.random.default_rng(5)
    few, many = rng.normal(0.4, 1, (3, 9)), rng.normal(0.25, 1, (3, 40))
    for rows, tolerance in ((few, 1e-9), (many, 0.01)):
        for row, p in zip(rows, sign_flip_p(rows)[0], strict=True):
            theirs = stats.permutation_test(
                (row,), lambda x: abs(np.mean(x)), permutation_type="samples", alternative="greater",
                n_resamples=20000, rng=2,
            )  # fmt: skip
            assert p == pytest.approx(theirs.pvalue, abs=tolerance)


def test_the_step_down_maximum_is_that_of_all_sign_patterns() -> None:
    """Compute by hand every pattern of six signs, and the largest statistic over the not more significant rows."""
    rows = np.random.default_rng(7).normal(0.5, 1, (4, 6))
    signs = np.array([[1 - 2 * (k >> bit & 1) for bit in range(6)] for k in range(64)])
    sums = np.abs(signs @ (rows / np.linalg.norm(rows, axis=1, keepdims=True)).T)
    expected, before = np.zeros(4), 0.0
    order = np.argsort(-sums[0])
    for place, row in enumerate(order):
        before = max(before, float(np.mean(sums[:, order[place:]].max(axis=1) >= sums[0, row] - 1e-9)))
        expected[row] = before
    alone, corrected = sign_flip_p(rows)
    assert corrected == pytest.approx(expected)
    assert (alone <= corrected).all()


def test_one_clear_difference_is_significant_among_many_methods_on_few_images() -> None:
    """Holm's method cannot find it: 45 times the smallest p value of seven images is 0.7."""
    rng = np.random.default_rng(0)
    table = rng.normal(26, 2, 7) + rng.normal(0, 0.1, (10, 7))
    table[0] += 3
    found = paired(table)
    assert found.separated[0, 1:].all()
    assert np.isnan(found.p_holm).all()
    assert places(found)[0] == (1, 1)
    assert {first for first, _ in places(found)[1:]} == {2}


def test_a_p_value_is_not_shown_where_it_cannot_be_below_5_percent() -> None:
    assert least_p(5) > 0.05 > least_p(6)
    table = np.arange(3)[:, None] * 5 + np.random.default_rng(0).normal(0, 0.1, (3, 6))
    five, six = paired(table[:, :5]), paired(table)
    assert np.isnan(five.p).all()
    assert np.isnan(five.p_adjusted).all()
    assert not five.separated.any()
    assert np.isfinite(five.low[0, 1])
    assert six.p[0, 1] == six.p_adjusted[0, 1] == 1 / 32
    assert np.isnan(six.p_holm).all()  # three pairs: never below 3 / 32
    assert np.isfinite(paired(table[:2]).p_holm[0, 1])


def test_equal_methods_are_rarely_separated_however_many_there_are() -> None:
    rng = np.random.default_rng(11)
    for methods, images in ((2, 7), (5, 7), (10, 20)):
        wrong = sum(paired(rng.normal(0, 1, (methods, images)), 0.0, 199).separated.any() for _ in range(150))
        assert wrong <= 16, (methods, images)  # 7.5 of 150 are expected


def test_holm_never_goes_down_and_never_over_one() -> None:
    assert holm(np.array([0.5, 0.001, 0.4, 0.02])).tolist() == pytest.approx([0.8, 0.004, 0.8, 0.06])
    assert holm(np.array([])).tolist() == []


def test_the_probability_of_being_best_sums_to_one(scores: np.ndarray) -> None:
    found = best_probability(scores, True)
    assert found.sum() == pytest.approx(1)
    assert found[0] > 0.999
    assert best_probability(scores, False)[0] < 0.001
    assert best_probability(np.ones((2, 5)), True).tolist() == [0.5, 0.5]


def test_a_rank_is_one_plus_the_number_that_beat_it_and_its_interval_ends_with_those_it_beats() -> None:
    rng = np.random.default_rng(0)
    base, wobble = rng.normal(25, 2, 35), rng.normal(0, 1, (3, 35))
    wobble -= wobble.mean(axis=1, keepdims=True)
    chain = np.stack([base + shift + 0.06 * part for shift, part in zip((0.05, 0.025, 0.0), wobble, strict=True)])
    found = paired(chain)
    assert (found.separated[0, 1], found.separated[1, 2], found.separated[0, 2]) == (False, False, True)
    assert places(found) == [(1, 2), (1, 3), (2, 3)]
    assert shared(ranks(found, True)[0], found).tolist() == [True, True, False]
    assert places(paired(-chain), higher=False) == places(found)
    twins = paired(np.stack([base, base, base - 1, base - 1]))
    assert places(twins) == [(1, 2), (1, 2), (3, 4), (3, 4)]
    assert places(paired(np.empty((0, 9)))) == []


def test_a_difference_too_small_to_matter_separates_nobody() -> None:
    base = np.random.default_rng(0).normal(25, 2, 20)
    near = np.stack([base, base - 0.005])
    assert paired(near).separated[0, 1]
    assert not paired(near, 0.01).separated.any()


def test_a_significant_difference_whose_interval_holds_0_separates_nobody() -> None:
    rows = np.stack([np.array([0.1, 0.1, 0.1, 0.1, 0.1, 5.0]), np.zeros(6)])
    found = paired(rows)
    assert found.p_adjusted[0, 1] < 0.05
    assert found.low[0, 1] < 0
    assert not found.separated.any()


def test_the_same_scores_give_the_same_numbers(scores: np.ndarray) -> None:
    np.testing.assert_array_equal(resampled_means(scores), resampled_means(scores))
    assert not np.array_equal(resampled_means(scores), resampled_means(scores, seed=1))
    np.testing.assert_array_equal(paired(scores).p_adjusted, paired(scores).p_adjusted)


def test_many_images_are_drawn_in_blocks_that_give_the_same_numbers(
    scores: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = scores[:2] - scores[1:]
    means, many, few = resampled_means(scores), sign_flip_p(rows), sign_flip_p(rows[:, :9])
    monkeypatch.setattr(resampling, "WHOLE_VALUES", 0)
    monkeypatch.setattr(resampling, "BLOCK_VALUES", 76 * 700)
    monkeypatch.setattr(sign_flips, "BLOCK_VALUES", 76 * 700)
    blocks = [*resampling._shares(76, RESAMPLES, 0), *sign_flips._signs(76, 2, RESAMPLES, 0)]
    assert (max(block.size for block in blocks), sum(block.size for block in blocks)) == (76 * 700, 2 * 76 * RESAMPLES)
    np.testing.assert_allclose(resampled_means(scores), means, rtol=1e-14)
    np.testing.assert_array_equal(sign_flip_p(rows), many)
    np.testing.assert_array_equal(sign_flip_p(rows[:, :9]), few)
