"""How many units a comparison needs to see a difference, and what a protocol's own units can show."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from seer_bench.compare.arm import is_campaign, planned_units
from seer_bench.compare.plan_runs import (
    Metric,
    correlation_of,
    load_run,
    plan_noun,
    scores_of,
    seconds_of,
    spread_of,
)
from seer_bench.errors import UsageError
from seer_bench.protocol import EvaluationProtocol
from seer_bench.real_robot import Campaign
from seer_bench.stats import (
    pairs_for_means,
    pairs_for_rates,
    units_for_means,
    units_for_rates,
)

CORRELATIONS = (0.0, 0.3, 0.6)
"""What is shown where nobody knows how much two arms' outcomes on the same units have in common."""
_SMALLEST = 1e-6
"""A difference that nobody plans to see, as a fraction or in subtasks."""


@dataclass(frozen=True)
class Design:
    """One way to compare two arms."""

    correlation: float | None
    """Between the two arms' scores on the same unit; None where units are not paired."""
    needed: int
    """Units that each arm plays."""
    detectable: float | None
    """The smallest difference that the protocol's own units show; None where none, or where their number is not
    declared."""

    @property
    def paired(self) -> bool:
        """Whether both arms play the same units."""
        return self.correlation is not None


@dataclass(frozen=True)
class Plan:
    """What to expect of a comparison."""

    protocol: EvaluationProtocol
    metric: Metric
    delta: float
    """The difference to be seen: a fraction for rates, subtasks for lengths."""
    power: float
    rates: tuple[float, float] | None
    """The two success rates, for rates."""
    deviation: float | None
    """Standard deviation of the length of a chain in one arm, for lengths."""
    assumed: str
    """Where rates and deviation come from, in words."""
    planned: int | None
    """Units of the protocol."""
    designs: tuple[Design, ...]
    """Without pairs first."""
    seconds: float | None
    """Wall-clock time of a unit in the first of the runs that were given."""


def plan(
    protocol: EvaluationProtocol,
    *,
    delta: float,
    metric: Metric,
    rate: float | None = None,
    runs: Sequence[Path] = (),
    correlation: float | None = None,
    power: float = 0.8,
) -> Plan:
    """Plan a comparison of two arms on a protocol.

    Args:
        protocol: where both arms play; that of `runs`, where there are some.
        delta: the difference to be seen: a fraction of units for a rate, subtasks for a length.
        metric: "rate" for the share of units that are solved to their end, "length" for the solved subtasks of a chain.
        rate: for a rate that of one arm; the other lies towards 1/2. For a length the rate of every single subtask.
            0.9 if neither it nor runs are given.
        runs: none, one run to take the scores of an arm from, or two for what their scores have in common.
        correlation: between the two arms' scores on the same unit; without it some are shown.
        power: probability that the difference is found.

    Raises:
        UsageError: a value makes no sense, or a run does not fit.
        StoreError: a run cannot be read.
    """
    _check(protocol, delta, metric, rate, correlation, power, len(runs))
    arms = [load_run(path, letter, protocol) for path, letter in zip(runs, "AB", strict=False)]
    scores = [scores_of(arm, arm.units, metric) for arm in arms]
    source = f"measured on {scores[0].size:,} {plan_noun(protocol)}s of {arms[0].paths[0]}" if arms else ""
    planned = planned_units(protocol)
    if is_campaign(protocol):
        planned = sum(task.cases for task in Campaign.of(protocol).tasks)
    known = correlation_of(arms, metric) if len(arms) == 2 else correlation
    correlations: tuple[float, ...] = CORRELATIONS if known is None else (known,)
    rates, deviation, needed = None, None, []
    if metric == "rate":
        base = float(scores[0].mean()) if arms else (0.9 if rate is None else rate)
        rates = (base, _other_rate(base, delta))
        least, most = _correlations_of(*rates)
        if correlation is not None and not least <= correlation <= most:
            raise UsageError(
                f"--correlation {correlation:g}: outcomes with rates of {100 * rates[0]:g} % and {100 * rates[1]:g} % "
                f"correlate by {least:.2f} to {most:.2f}, whatever the arms are."
            )
        correlations = tuple(dict.fromkeys(min(max(c, least), most) for c in correlations))
        needed = [partial(_for_rates, base, correlation=c, power=power) for c in (None, *correlations)]
        assumed = source or "assumed"
        largest = max(base, 1 - base)
    else:
        chance = 0.9 if rate is None else rate
        spreads = [spread_of(arm, values) for arm, values in zip(arms, scores, strict=True)]
        deviation = spreads[0] if arms else chain_deviation(chance, protocol.chain_length)

        def other(gap: float) -> float:
            return spreads[-1] if arms else _other_deviation(chance, protocol.chain_length, gap)

        needed = [partial(_for_lengths, deviation, other, correlation=c, power=power) for c in (None, *correlations)]
        assumed = source or f"if every subtask is solved with probability {chance:g}"
        mean = chain_mean(chance, protocol.chain_length)
        largest = float(protocol.chain_length) if arms else max(mean, protocol.chain_length - mean)
    designs = tuple(
        Design(c, count(delta), None if planned is None else _detectable(count, planned, largest))
        for c, count in zip((None, *correlations), needed, strict=True)
    )
    return Plan(protocol, metric, delta, power, rates, deviation, assumed, planned, designs, seconds_of(arms, protocol))


def chain_mean(rate: float, length: int) -> float:
    """Average length of chains whose every subtask is solved with probability `rate`."""
    return sum(rate**i for i in range(1, length + 1))


def chain_deviation(rate: float, length: int) -> float:
    """Standard deviation of the solved subtasks of a chain whose every subtask is solved with probability `rate`."""
    squares = sum((2 * i - 1) * rate**i for i in range(1, length + 1))
    return math.sqrt(max(0.0, squares - chain_mean(rate, length) ** 2))


def _for_rates(rate: float, delta: float, *, correlation: float | None, power: float) -> int:
    """Units to tell `rate` from a rate that lies `delta` towards 1/2; without a correlation unpaired."""
    other = _other_rate(rate, delta)
    if correlation is None:
        return units_for_rates(rate_a=rate, rate_b=other, power=power)
    least, most = _correlations_of(rate, other)
    shared = min(most, max(least, correlation)) * math.sqrt(rate * (1 - rate) * other * (1 - other))
    discordance = min(1.0, max(delta, rate * (1 - other) + other * (1 - rate) - 2 * shared))
    return pairs_for_rates(difference=delta, discordance=discordance, power=power)


def _for_lengths(
    first: float, other_of: Callable[[float], float], delta: float, *, correlation: float | None, power: float
) -> int:
    """Chains to tell apart two average lengths with these deviations; without a correlation unpaired.

    The tests count whole chains, so they need as many as show that a share `delta` of them went one subtask further.
    """
    other, share = other_of(delta), min(1.0, delta)
    if correlation is None:
        both = math.sqrt((first**2 + other**2) / 2)
        fewest = units_for_rates(rate_a=share, rate_b=0.0, power=power)
        return max(fewest, units_for_means(difference=delta, deviation=both, power=power))
    gaps = math.sqrt(first**2 + other**2 - 2 * correlation * first * other)
    fewest = pairs_for_rates(difference=share, discordance=share, power=power)
    return max(fewest, pairs_for_means(difference=delta, deviation=gaps, power=power))


def _detectable(count: Callable[[float], int], planned: int, largest: float) -> float | None:
    """The smallest difference for which so many units are enough, by bisection; None where none is."""
    if count(largest) > planned:
        return None
    low, high = 0.0, largest
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if count(middle) <= planned else (middle, high)
    return high


def _other_rate(rate: float, delta: float) -> float:
    """The other arm's rate, which lies towards 1/2: there, units tell less."""
    other = rate + delta if rate <= 0.5 else rate - delta
    if not -1e-9 <= other <= 1 + 1e-9:
        raise UsageError(
            f"--delta {100 * delta:g}: a rate of {100 * rate:g} % and another one {100 * delta:g} points away do not "
            "both lie between 0 and 100 %. Give a smaller difference or another --rate."
        )
    return min(1.0, max(0.0, other))


def _correlations_of(a: float, b: float) -> tuple[float, float]:
    """The least and the largest correlation that outcomes with these rates can have; 0 where one does not vary."""
    spread = math.sqrt(a * (1 - a) * b * (1 - b))
    if spread == 0:
        return 0.0, 0.0
    return (max(0.0, a + b - 1) - a * b) / spread, (min(a, b) - a * b) / spread


def _other_deviation(rate: float, length: int, delta: float) -> float:
    """Deviation of the arm whose average length is `delta` away from that at this rate; the larger one of two."""
    mean = chain_mean(rate, length)
    targets = [target for target in (mean - delta, mean + delta) if -1e-9 <= target <= length + 1e-9]
    if not targets:
        raise UsageError(
            f"--delta {delta:g}: an average length of {mean:.2f} and another one {delta:g} subtasks away do not both "
            f"lie between 0 and {length}. Give a smaller difference or another --rate."
        )
    return max(chain_deviation(_rate_of_mean(target, length), length) for target in targets)


def _rate_of_mean(mean: float, length: int) -> float:
    """The inverse of `chain_mean`."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if chain_mean(middle, length) < mean else (low, middle)
    return high


def _check(
    protocol: EvaluationProtocol,
    delta: float,
    metric: Metric,
    rate: float | None,
    correlation: float | None,
    power: float,
    runs: int,
) -> None:
    """Refuse what makes no sense."""
    if metric == "length" and protocol.chain_length == 1:
        raise UsageError(f"{protocol.name} has no chains, so it has no average length; leave --metric length out.")
    top = 1 if metric == "rate" else protocol.chain_length
    if not _SMALLEST <= delta < top:
        least, most = (
            (f"{100 * _SMALLEST:g}", "100 points") if metric == "rate" else (f"{_SMALLEST:g}", f"{top} subtasks")
        )
        raise UsageError(f"--delta: the difference must lie between {least} and {most}.")
    if rate is not None and runs:
        raise UsageError("--rate and --run were both given; a run has a rate of its own. Leave one out.")
    if correlation is not None and runs == 2:
        raise UsageError("--correlation and two runs were given; two runs have one of their own. Leave one out.")
    if rate is not None and not 0 < rate < 1:
        raise UsageError(f"--rate {rate:g}: must lie between 0 and 1; write 90 % as 0.9.")
    if correlation is not None and not -1 < correlation < 1:
        raise UsageError(f"--correlation {correlation:g}: must lie between -1 and 1, e.g. 0.5.")
    if not 0.05 < power < 1:
        raise UsageError(f"--power {power:g}: must lie between 0.05 and 1, e.g. 0.8.")
    if runs > 2:
        raise UsageError(f"--run was given {runs} times; give one run, or two to measure what they have in common.")
