from __future__ import annotations

import pytest

from seer_policy.quirks import QUIRKS, in_force


def test_every_quirk_has_a_name_of_its_own_and_says_where_it_is_chosen():
    assert len({quirk.name for quirk in QUIRKS}) == len(QUIRKS)
    for quirk in QUIRKS:
        assert (quirk.choice == "quirks") == (quirk.fixed is not None)


@pytest.mark.parametrize(
    ("benchmark", "names"),
    [("calvin", {"half-precision-actions"}), ("libero", {"euler-state", "zero-means-empty"})],
)
def test_fixed_keeps_none_of_them(benchmark, names):
    assert in_force("upstream", benchmark) == names
    assert in_force("fixed", benchmark) == frozenset()
