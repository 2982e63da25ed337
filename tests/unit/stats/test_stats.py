"""Intervals, tests and ranks against scipy, closed forms and what simulation says they must do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats import bootstrap, multiple, paired, ranks
from harness.stats.bootstrap import Interval


def sample(seed: int, n: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.5, 0.2, n)


def by_column(values: np.ndarray) -> bootstrap.Statistic:
    """The means of the columns of (n, m) values, by the same draws."""
    return lambda counts: counts @ values / len(values)


class TestBootstrap:
    def test_draws_take_n_items_each(self) -> None:
        """Every resample draws n times, each item is drawn once on average, and as many are drawn as were asked for."""
        counts = np.concatenate(list(bootstrap.draw(300, resamples=4_000, seed=1)))
        assert counts.shape == (4_000, 300)
        assert (counts.sum(axis=1) == 300).all()
        assert abs(counts.mean(axis=0) - 1).max() < 6 / np.sqrt(4_000)
        assert abs(counts.var() - (1 - 1 / 300)) < 0.01  # multinomial

    def test_equal_seeds_give_equal_replicates(self) -> None:
        """The order of threads changes nothing, and another seed gives other draws."""
        values = sample(0, 500)
        first, again = (bootstrap.replicate_mean(values, resamples=100, seed=3) for _ in range(2))
        assert np.array_equal(first, again)
        assert not np.array_equal(first, bootstrap.replicate_mean(values, resamples=100, seed=4))

    @pytest.mark.parametrize("resamples", [1, 15, 17, 1000])
    def test_any_number_of_resamples(self, resamples: int) -> None:
        """The number asked for is the number given, below and above the number of pieces."""
        assert bootstrap.replicate_mean(sample(0, 30), resamples=resamples).shape == (resamples,)

    def test_the_mean_of_a_closed_form(self) -> None:
        """The replicates of a mean have the mean and the standard error of the theory."""
        values = sample(1, 400)
        replicates = bootstrap.replicate_mean(values)
        assert replicates.mean() == pytest.approx(values.mean(), abs=4e-4)
        assert replicates.std() == pytest.approx(values.std() / 20, rel=0.03)

    @pytest.mark.parametrize(("n", "resamples"), [(1, 3), (7, 40), (3_000, 2_000), (60_000, 20)])
    def test_means_are_those_by_counts(self, n: int, resamples: int) -> None:
        """The fast means, by threads or not, are those of the same resamples by counts, up to rounding."""
        values = sample(n, n)
        by_counts = bootstrap.replicate(lambda counts: counts @ values / n, n, resamples=resamples, seed=5)
        assert bootstrap.replicate_mean(values, resamples=resamples, seed=5) == pytest.approx(by_counts, abs=1e-12)

    def test_scipy(self) -> None:
        """The interval of a skewed sample's mean agrees with scipy's to the noise of 10,000 resamples."""
        from scipy import stats

        values = np.random.default_rng(5).exponential(size=120)
        theirs = stats.bootstrap(
            (values,), np.mean, n_resamples=10_000, method="percentile", random_state=np.random.default_rng(0)
        ).confidence_interval
        ours = bootstrap.interval(bootstrap.replicate_mean(values))
        spread = theirs.high - theirs.low
        assert ours.low == pytest.approx(theirs.low, abs=0.03 * spread)
        assert ours.high == pytest.approx(theirs.high, abs=0.03 * spread)

    def test_what_does_not_vary_has_no_width(self) -> None:
        """Equal values give an interval of one point."""
        interval = bootstrap.interval(bootstrap.replicate_mean(np.full(20, 0.25), resamples=100))
        assert (interval.low, interval.high) == (0.25, 0.25)

    def test_undefined_replicates_are_left_out(self) -> None:
        """NaN is no score; nothing but NaN is an error."""
        assert bootstrap.interval(np.array([np.nan, 1.0, 1.0])) == Interval(1.0, 1.0)
        with pytest.raises(ValueError, match="no resample"):
            bootstrap.interval(np.array([np.nan]))

    def test_coverage(self) -> None:
        """Of 1,000 intervals from samples of 100, 93 to 97% hold the true mean."""
        held = 0
        for seed in range(1_000):
            values = sample(10_000 + seed, 100)
            interval = bootstrap.interval(bootstrap.replicate_mean(values, resamples=1_000, seed=seed))
            held += interval.low <= 0.5 <= interval.high
        assert 930 <= held <= 970

    def test_coverage_of_two_levels(self) -> None:
        """Intervals of a mean over 60 tasks of 30 items, both random, hold the true mean in 93 to 97% of 600 draws."""
        held = 0
        for seed in range(600):
            generator = np.random.default_rng(50_000 + seed)
            items = generator.normal(0.5, 0.1, 60) + generator.normal(0, 0.2, (30, 60))
            replicates = bootstrap.replicate(by_column(items), 30, resamples=200, seed=seed).T
            found = bootstrap.interval(bootstrap.hierarchical(list(replicates), resamples=1_000, seed=seed))
            held += found.low <= 0.5 <= found.high
        assert 558 <= held <= 582

    def test_hierarchical_of_a_closed_form(self) -> None:
        """Its variance is that of the tasks plus that of the items within, over the number of tasks."""
        generator = np.random.default_rng(3)
        tasks = [generator.normal(mean, 0.05, 4_000) for mean in np.linspace(0.2, 0.8, 40)]
        replicates = bootstrap.hierarchical(tasks, resamples=20_000)
        means = np.array([values.mean() for values in tasks])
        expected = (means.var() + 0.05**2) / 40
        assert replicates.var() == pytest.approx(expected, rel=0.05)
        fixed = bootstrap.hierarchical(list(means), resamples=20_000)
        assert fixed.var() == pytest.approx(means.var() / 40, rel=0.05)


class TestPaired:
    def test_scipy(self) -> None:
        """The exact test counts what scipy's counts; the random one agrees with it to its noise."""
        from scipy import stats

        for n, slack in ((8, 1e-9), (40, 0.01)):
            differences = np.random.default_rng(n).normal(0.05, 0.2, n)
            theirs = stats.permutation_test(
                (differences,),
                np.mean,
                permutation_type="samples",
                n_resamples=20_000,
                random_state=np.random.default_rng(0),
            )
            assert paired.sign_flip(differences, resamples=20_000) == pytest.approx(theirs.pvalue, abs=slack)

    def test_by_hand(self) -> None:
        """Three equal gains: 2 of the 8 sign patterns are as large."""
        assert paired.sign_flip(np.array([0.1, 0.1, 0.1])) == 0.25
        assert paired.sign_flip(np.array([0.1, 0.0, 0.1, 0.1, 0.0])) == 0.25

    def test_no_difference(self) -> None:
        """Two equal models differ with no certainty at all."""
        assert paired.sign_flip(np.zeros(30)) == 1.0
        assert paired.share_beyond_zero(np.zeros(100)) == 1.0

    @pytest.mark.parametrize("test", ["sign flip", "bootstrap"])
    def test_false_positives(self, test: str) -> None:
        """Of 2,000 pairs of equal models on 120 items, 4 to 6% are called different at the level of 5%."""
        found = 0
        for seed in range(2_000):
            differences = np.random.default_rng(90_000 + seed).normal(0, 0.3, 120)
            if test == "sign flip":
                p = paired.sign_flip(differences, resamples=1_000, seed=seed)
            else:
                p = paired.share_beyond_zero(bootstrap.replicate_mean(differences, resamples=500, seed=seed))
            found += p < 0.05
        assert 80 <= found <= 120

    def test_a_real_difference_is_found(self) -> None:
        """A gain of a third of a standard deviation on 200 items is significant by both tests."""
        gains = np.random.default_rng(2).normal(0.03, 0.1, 200)
        assert paired.sign_flip(gains) < 0.01
        replicates = bootstrap.replicate_mean(gains)
        assert paired.share_beyond_zero(replicates) < 0.01
        assert bootstrap.interval(replicates).low > 0


class TestHolm:
    def test_by_hand(self) -> None:
        """The example of four tests: factors 4, 3, 2, 1, never falling, cut at 1."""
        assert multiple.holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
        assert multiple.holm([0.9, 0.8]).tolist() == [1.0, 1.0]
        assert multiple.holm([]).tolist() == []

    @settings(max_examples=50)
    @given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
    def test_between_none_and_bonferroni(self, p: list[float]) -> None:
        """A corrected p is never below the plain one nor above Bonferroni's, and keeps the order."""
        adjusted = multiple.holm(p)
        assert (adjusted >= np.array(p) - 1e-15).all()
        assert (adjusted <= np.minimum(1, np.array(p) * len(p)) + 1e-15).all()
        assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()

    def test_family_wise_error(self) -> None:
        """Of 2,000 families of ten true null hypotheses, at most 6% have a rejection."""
        p = np.random.default_rng(1).random((2_000, 10))
        assert np.mean([(multiple.holm(row) < 0.05).any() for row in p]) <= 0.06


class TestRanks:
    def test_by_hand(self) -> None:
        """Clear gaps give one rank each; two that swap places in the draws share a span."""
        clear = np.array([[0.9, 0.91], [0.5, 0.52], [0.1, 0.12]])
        assert ranks.spans(clear) == [(1, 1), (2, 2), (3, 3)]
        swapping = np.array([[0.9, 0.5] * 50, [0.5, 0.9] * 50, [0.1, 0.1] * 50])
        assert ranks.spans(swapping) == [(1, 2), (1, 2), (3, 3)]

    def test_equal_models_share_their_ranks(self) -> None:
        """Two runs of one model span the same ranks and are one tie group."""
        scores = np.array([[0.8, 0.7, 0.9], [0.8, 0.7, 0.9], [0.1, 0.2, 0.1]])
        replicates = ranks.means_over_tasks(scores, resamples=500)
        assert ranks.spans(replicates) == [(1, 2), (1, 2), (3, 3)]
        assert ranks.tie_groups(replicates, scores.mean(axis=1)).tolist() == [1, 1, 2]

    def test_a_group_ends_where_the_difference_is_clear(self) -> None:
        """Groups follow the order of the scores, whatever the order of the rows."""
        generator = np.random.default_rng(0)
        base = generator.normal(0.5, 0.1, 40)
        scores = np.stack([base - 0.2, base + generator.normal(0, 0.05, 40), base, base - 0.21])
        replicates = ranks.means_over_tasks(scores, resamples=1_000)
        groups = ranks.tie_groups(replicates, scores.mean(axis=1))
        assert groups[1] == groups[2] == 1
        assert groups[0] == 2
        assert groups[3] == 3  # always lower by 0.01: no draw of tasks changes that

    def test_more_models_than_are_compared_at_a_time(self) -> None:
        """A group of equal models larger than one block is one group, and the one after it another."""
        scores = np.vstack([np.tile([0.5, 0.6, 0.7], (70, 1)), [[0.1, 0.2, 0.3]]])
        replicates = ranks.means_over_tasks(scores, resamples=100)
        assert ranks.tie_groups(replicates, scores.mean(axis=1)).tolist() == [1] * 70 + [2]
