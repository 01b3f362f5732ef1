"""How many units a comparison needs."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import NormalIndPower, TTestIndPower, TTestPower
from statsmodels.stats.proportion import proportion_effectsize

from seer_bench.compare import plan_comparison as plan
from seer_bench.compare.plan_runs import seconds_a_unit
from seer_bench.compare.planning import chain_deviation
from seer_bench.errors import UsageError
from seer_bench.store import RunWriter


def test_unpaired_rates_need_what_statsmodels_says_and_a_correction(make: ModuleType):
    found = plan(make.ROLLOUTS, delta=0.1, metric="rate", rate=0.8).designs[0]
    normal = NormalIndPower().solve_power(proportion_effectsize(0.8, 0.7), alpha=0.05, power=0.8)
    assert normal < found.needed < normal + 2 / 0.1 + 5


def rates_of_lengths(rate: float, delta: float) -> list[float]:
    """Rates of a subtask whose chains of five are so much shorter or longer on average."""
    lengths = [sum(rate**i for i in range(1, 6)) + sign * delta for sign in (-1, 1)]
    roots = [np.roots([1, 1, 1, 1, 1, -length]) for length in lengths]
    return [float(root.real) for found in roots for root in found if abs(root.imag) < 1e-9 and root.real > 0]


def test_lengths_need_what_statsmodels_says(make: ModuleType):
    made = plan(make.CHAINS, delta=0.3, metric="length", rate=0.8, correlation=0.5)
    first, other = chain_deviation(0.8, 5), max(chain_deviation(rate, 5) for rate in rates_of_lengths(0.8, 0.3))
    assert made.deviation == first
    both = np.sqrt((first**2 + other**2) / 2)
    unpaired = TTestIndPower().solve_power(0.3 / both, alpha=0.05, power=0.8)
    gaps = np.sqrt(first**2 + other**2 - first * other)
    paired = TTestPower().solve_power(0.3 / gaps, alpha=0.05, power=0.8)
    assert [design.needed for design in made.designs] == pytest.approx([unpaired, paired], abs=1.5)


def test_paired_rates_with_the_planned_units_are_told_apart_as_often_as_promised(make: ModuleType):
    made = plan(make.CHAINS, delta=0.1, metric="rate", rate=0.8, correlation=0.5)
    n = made.designs[1].needed
    a, b = 0.8, 0.7
    both = a * b + 0.5 * np.sqrt(a * (1 - a) * b * (1 - b))
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(400):
        _, ahead, behind, _ = rng.multinomial(n, [both, a - both, b - both, 1 - a - b + both])
        found += stats.binomtest(ahead, ahead + behind).pvalue <= 0.05
    assert 0.75 < found / 400 < 0.9


@pytest.mark.parametrize(("metric", "correlation"), [("rate", 0.3), ("length", 0.6)])
def test_the_detectable_difference_is_the_one_that_needs_the_protocols_units(make, metric: str, correlation: float):
    made = plan(make.CHAINS, delta=0.05, metric=metric, correlation=correlation)
    for i, design in enumerate(made.designs):
        assert design.detectable is not None
        again = plan(make.CHAINS, delta=design.detectable, metric=metric, correlation=correlation)
        assert again.designs[i].needed == pytest.approx(1000, abs=1)


def test_more_correlation_needs_fewer_units(make: ModuleType):
    needed = [design.needed for design in plan(make.CHAINS, delta=0.03, metric="rate").designs[1:]]
    assert needed == sorted(needed, reverse=True)
    assert len(set(needed)) == len(needed)


def test_the_spread_of_chains_follows_from_the_rate_of_a_subtask():
    # 2 subtasks of 1/2 each: 0, 1 and 2 with probabilities 1/2, 1/4, 1/4.
    assert chain_deviation(0.5, 2) == pytest.approx(np.sqrt(0.25 * 1 + 0.25 * 4 - 0.75**2))


def test_runs_give_rates_spread_and_what_they_have_in_common(make: ModuleType, tmp_path: Path):
    rng = np.random.default_rng(0)
    first = rng.integers(0, 6, 60)
    second = np.clip(first + rng.integers(-1, 2, 60), 0, 5)
    a = make.write(tmp_path / "a", [make.chain(i, int(k)) for i, k in enumerate(first)])
    b = make.write(tmp_path / "b", [make.chain(i, int(k)) for i, k in enumerate(second)], make.manifest(seed=1))
    made = plan(make.CHAINS, delta=0.2, metric="length", runs=[a, b])
    assert made.deviation == pytest.approx(first.std(ddof=1))
    assert made.designs[1].correlation == pytest.approx(np.corrcoef(first, second)[0, 1])
    spread = np.std(first - second, ddof=1)
    expected = TTestPower().solve_power(0.2 / spread, alpha=0.05, power=0.8)
    assert made.designs[1].needed == pytest.approx(expected, rel=0.02, abs=1.5)
    rates = plan(make.CHAINS, delta=0.05, metric="rate", runs=[a])
    assert rates.rates is not None
    assert rates.rates[0] == pytest.approx(np.mean(first == 5))
    assert len(rates.designs) == 4


def test_the_time_of_a_unit_is_that_of_its_sessions(make: ModuleType, tmp_path: Path):
    now = datetime.now(timezone.utc).timestamp()
    results = [make.chain(i, 1) for i in range(4)]
    with RunWriter.open(tmp_path / "a", make.manifest()) as writer:
        session = writer.start_session({})
        for i, one in enumerate(results):
            timed = one.with_run_info(finished=now + 10 * (i + 1), session=session)
            writer.append(timed, make.actions(one.run_info["played"]))
    assert seconds_a_unit([tmp_path / "a"]) == pytest.approx(10, abs=0.6)


def test_a_real_robot_is_planned_in_cases(make: ModuleType):
    made = plan(make.campaign(cases=15), delta=0.4, metric="rate", rate=0.5)
    assert made.planned == 15
    assert made.designs[0].needed > 15


def test_what_makes_no_sense_is_refused(make: ModuleType, tmp_path: Path):
    constant = make.write(tmp_path / "a", [make.chain(i, 3) for i in range(4)])
    other = make.write(tmp_path / "b", [make.rollout(0, i, True) for i in range(2)], make.manifest(make.ROLLOUTS))
    for message, protocol, arguments in (
        ("no average length", make.ROLLOUTS, {"delta": 0.1, "metric": "length"}),
        ("between 0.0001 and 100 points", make.CHAINS, {"delta": 3, "metric": "rate"}),
        ("between 1e-06 and 5 subtasks", make.CHAINS, {"delta": 0, "metric": "length"}),
        ("write 90 % as 0.9", make.CHAINS, {"delta": 0.03, "metric": "rate", "rate": 90}),
        ("do not both lie", make.CHAINS, {"delta": 0.95, "metric": "rate", "rate": 0.9}),
        ("Leave one out", make.CHAINS, {"delta": 0.03, "metric": "rate", "rate": 0.9, "runs": [constant]}),
        ("shows no spread", make.CHAINS, {"delta": 0.1, "metric": "length", "runs": [constant]}),
        ("given twice", make.CHAINS, {"delta": 0.1, "metric": "rate", "runs": [constant, constant]}),
        ("was played on libero", make.CHAINS, {"delta": 0.1, "metric": "rate", "runs": [other]}),
        ("--power", make.CHAINS, {"delta": 0.03, "metric": "rate", "power": 1.0}),
        ("--correlation", make.CHAINS, {"delta": 0.03, "metric": "rate", "correlation": 1.0}),
    ):
        with pytest.raises(UsageError, match=message):
            plan(protocol, **arguments)


def test_so_few_chains_that_no_exact_test_could_tell_are_never_enough(make: ModuleType):
    """Chains that nearly all end alike vary so little that the normal approximation would ask for two of them."""
    for delta in (3.0, 0.2):
        made = plan(make.CHAINS, delta=delta, metric="length", rate=0.999999, correlation=0.5)
        unpaired, paired = made.designs
        share = min(1.0, delta)
        assert stats.binomtest(round(share * paired.needed), round(share * paired.needed)).pvalue <= 0.05
        ahead = round(share * unpaired.needed)
        table = [[ahead, unpaired.needed - ahead], [0, unpaired.needed]]
        assert stats.fisher_exact(table).pvalue <= 0.05
        assert paired.detectable is not None
        assert paired.detectable * 1000 >= 6


def test_outcomes_cannot_have_more_in_common_than_their_rates_allow(make: ModuleType):
    designs = plan(make.CHAINS, delta=0.2, metric="rate", rate=0.9).designs
    most = (0.7 - 0.9 * 0.7) / np.sqrt(0.9 * 0.1 * 0.7 * 0.3)
    assert [design.correlation for design in designs] == [None, 0.0, 0.3, pytest.approx(most)]
    with pytest.raises(UsageError, match=r"--correlation 0.6: .* 90 % and 70 % correlate by -0.22 to 0.51"):
        plan(make.CHAINS, delta=0.2, metric="rate", rate=0.9, correlation=0.6)


@pytest.mark.parametrize(("metric", "delta"), [("rate", 1e-300), ("length", 1e-300), ("rate", 0.0), ("rate", -0.03)])
def test_a_difference_that_is_none_is_refused(make: ModuleType, metric: str, delta: float):
    with pytest.raises(UsageError, match="the difference must lie between"):
        plan(make.CHAINS, delta=delta, metric=metric)


def test_lengths_that_cannot_be_so_far_apart_are_refused(make: ModuleType):
    with pytest.raises(UsageError, match=r"average length of 3\.69 and another one 4\.5 subtasks away"):
        plan(make.CHAINS, delta=4.5, metric="length")
