from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from seer_bench.stats import holm


@pytest.mark.parametrize("tests", [1, 2, 5, 20])
def test_holm_is_statsmodels_in_the_order_given(tests: int) -> None:
    p_values = (np.random.default_rng(tests).random(tests) ** 3).round(1 + tests // 10).tolist()
    assert holm(p_values=p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-12)


@given(st.lists(st.floats(0, 1), max_size=20))
def test_adjusted_values_keep_their_order_and_lie_between_their_own_and_bonferronis(p_values: list[float]) -> None:
    adjusted = holm(p_values=p_values)
    for p, q in zip(p_values, adjusted, strict=True):
        assert p <= q <= min(1, len(p_values) * p)
    assert sorted(adjusted) == [
        adjusted[i] for i in sorted(range(len(p_values)), key=lambda i: (p_values[i], adjusted[i]))
    ]


def test_holm_by_hand() -> None:
    assert holm(p_values=[0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm(p_values=[0.5, 0.6]) == (1.0, 1.0)
    assert holm(p_values=[0.2]) == (0.2,)
    assert holm(p_values=[]) == ()


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_holm_refuses_what_is_no_probability(p: float) -> None:
    with pytest.raises(ValueError, match="expected numbers from 0 to 1"):
        holm(p_values=[0.5, p])
