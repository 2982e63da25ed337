"""Items: resampled scores equal the metrics of resampled data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.evaluators import metrics, resampling
from harness.evaluators.items import correlation, labels, matching, mined, replicates, values
from harness.stats import bootstrap
from harness.types import Part

PART = Part("test", "default")


def drawn(seed: int, n: int) -> np.ndarray:
    """Counts of one resample, and of the data itself: (2, n)."""
    counts = np.bincount(np.random.default_rng(seed).integers(n, size=n), minlength=n)
    return np.stack([counts, np.ones(n)]).astype(float)


def repeated(counts: np.ndarray) -> np.ndarray:
    return np.repeat(np.arange(len(counts)), counts.astype(int))


class TestScores:
    """On every resample, what counts give is what the metric gives on the items that were drawn."""

    @settings(max_examples=40)
    @given(st.integers(0, 10_000), st.integers(4, 40), st.integers(2, 12))
    def test_correlations(self, seed: int, n: int, levels: int) -> None:
        """Spearman and Pearson, with ties; NaN where the metric is undefined."""
        generator = np.random.default_rng(seed)
        left, right = generator.integers(levels, size=n) / 8, generator.integers(levels, size=n) / 4
        counts = drawn(seed, n)
        for ours, theirs in ((resampling.spearman, metrics.spearman), (resampling.pearson, metrics.pearson)):
            for row, found in zip(counts, ours(counts, left, right), strict=True):
                expected = theirs(left[repeated(row)], right[repeated(row)])
                if expected is None:
                    assert np.isnan(found) or abs(found) < 1e-6
                else:
                    assert found == pytest.approx(expected, abs=1e-9)

    @settings(max_examples=40)
    @given(st.integers(0, 10_000), st.integers(3, 40))
    def test_average_precision(self, seed: int, n: int) -> None:
        """With ties of similarity."""
        generator = np.random.default_rng(seed)
        similarity, positive = generator.integers(6, size=n) / 8, generator.random(n) < 0.4
        counts = drawn(seed, n)
        for row, found in zip(counts, resampling.average_precision(counts, similarity, positive), strict=True):
            at = repeated(row)
            if positive[at].any():
                assert found == pytest.approx(metrics.average_precision(similarity[at], positive[at]), abs=1e-12)
            else:
                assert np.isnan(found)

    @settings(max_examples=40)
    @given(st.integers(0, 10_000), st.integers(2, 40), st.integers(1, 6))
    def test_labels(self, seed: int, n: int, classes: int) -> None:
        """Accuracy and both F1 of single and several experiments, with classes that a resample lacks."""
        generator = np.random.default_rng(seed)
        true, predicted = generator.integers(classes, size=n), generator.integers(classes, size=(3, n))
        counts = drawn(seed, n)
        accuracy, macro = (how(counts, true, predicted) for how in (resampling.accuracy, resampling.f1_macro))
        weighted = resampling.f1_weighted(counts, true, predicted[0])
        for row in range(2):
            at = repeated(counts[row])
            found = [metrics.classification(true[at], one[at]) for one in predicted]
            assert accuracy[row] == pytest.approx(np.mean([each["accuracy"] for each in found]), abs=1e-12)
            assert macro[row] == pytest.approx(np.mean([each["f1"] for each in found]), abs=1e-12)
            assert weighted[row] == pytest.approx(found[0]["f1_weighted"], abs=1e-12)

    def test_the_best_family_of_each_resample(self) -> None:
        """max_ap is the best family's, in each resample anew."""
        generator = np.random.default_rng(0)
        gold = (generator.random(30) < 0.5).astype(int)
        families = {name: generator.random(30).astype(np.float32) for name in ("cosine", "dot")}
        items = matching(families, gold)
        counts = np.concatenate([drawn(seed, 30) for seed in range(20)])
        each = [resampling.average_precision(counts, family, gold == 1) for family in families.values()]
        assert (items.score(counts) == np.max(each, axis=0)).all()
        assert len({int(np.argmax(pair)) for pair in zip(*each, strict=True)}) == 2

    def test_merit(self) -> None:
        """Larger is better done: values, shares of experiments, right or wrong, places by similarity and gold."""
        assert values([0.25, 1.0], metric="ndcg_at_10", unit="query").merit().tolist() == [0.25, 1.0]
        assert labels([1, 2], [[1, 1], [1, 2]], metric="accuracy").merit().tolist() == [1.0, 0.5]
        assert mined([0, 1], [0, 0], metric="f1").merit().tolist() == [1.0, 0.0]
        assert correlation([0.1, 0.9, 0.5], [1, 3, 2], metric="spearman").merit().tolist() == [0, 0, 0]
        swapped = correlation([0.9, 0.1, 0.5], [1, 3, 2], metric="spearman").merit()
        assert swapped == pytest.approx([-2 / 3, -2 / 3, 0])

    def test_the_same_draws_for_all_models(self) -> None:
        """Two models' replicates of one part move together; another part has draws of its own."""
        first = values(np.arange(50), metric="m", unit="query")
        better = values(np.arange(50) + 1, metric="m", unit="query")
        a, b = (replicates(items, task="T", part=PART, resamples=100) for items in (first, better))
        assert b - a == pytest.approx(np.ones(100))
        other = replicates(first, task="T", part=Part("test", "en"), resamples=100)
        assert not np.array_equal(a, other)

    def test_means_take_the_fast_way_with_the_same_draws(self) -> None:
        """Whether the score is a mean or not, the replicates of equal scores by the same draws are equal."""
        generator = np.random.default_rng(4)
        predicted = generator.integers(3, size=(5, 40))
        items = labels(generator.integers(3, size=40), predicted, metric="accuracy")
        by_counts = bootstrap.replicate(items.score, 40, resamples=100, seed=9)
        assert bootstrap.replicate_mean(items.merit(), resamples=100, seed=9) == pytest.approx(by_counts, abs=1e-12)
        seeds = {float(replicates(items, task="T", part=Part(split, "a"), resamples=1)[0]) for split in "abcdefgh"}
        assert len(seeds) > 1


def test_the_interval_of_a_rank_correlation_is_that_of_scipy() -> None:
    """The percentile interval agrees with scipy's, to the noise of the draws."""
    from scipy import stats

    generator = np.random.default_rng(3)
    left = generator.normal(size=80)
    right = (left + generator.normal(0, 0.6, 80)).astype(np.float32)
    items = correlation(left, right, metric="spearman")
    ours = bootstrap.interval(replicates(items, task="T", part=PART, resamples=4_000))
    theirs = stats.bootstrap(
        (left, right),
        lambda x, y: stats.spearmanr(x, y).statistic,
        paired=True,
        vectorized=False,
        n_resamples=2_000,
        method="percentile",
        random_state=np.random.default_rng(0),
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.08 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.08 * width)
