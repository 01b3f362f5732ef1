from __future__ import annotations

import pytest

from seer_bench.arms import check_arm, contradictions
from seer_bench.errors import UsageError


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"method": "Seer", "pretrained": "no", "data": "0.1", "demos": "100", "variant": "large"},
        {"pretrained": "No", "pre_fore": "false", "pre_inv": ""},
        {"pre_fore": "no", "pre_inv": "no"},
        {"pretrained": "true", "pre_inv": "no"},
        {"data": "1"},
        {"data": "12.5 %"},
        {"lab": "perhaps", "Colour": "200%"},
    ],
)
def test_what_one_row_can_have_passes(attributes):
    assert contradictions(attributes) == ()
    check_arm(attributes)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"pretrained": "no", "pre_fore": "yes"}, "pretrained=no contradicts pre_fore=yes"),
        ({"pretrained": "no", "pre_fore": "yes", "pre_inv": "true"}, "contradicts pre_fore=yes and pre_inv=yes"),
        ({"pretrained": "yes", "pre_fore": "no", "pre_inv": "no"}, "pretrained=yes contradicts pre_fore=no"),
        ({"l_inv": "perhaps"}, "l_inv is yes or no"),
        ({"data": "200%"}, "data=200%: data is the share"),
        ({"data": "0"}, "above 0"),
        ({"data": "the first half"}, "such as data=10%"),
        ({"demos": "some"}, "demos=some"),
        ({"demos": "0"}, "demos=0"),
        ({"l-inv": "no"}, "write l_inv=no"),
        ({"Method": "Seer"}, "write method=Seer"),
    ],
)
def test_what_no_row_can_have_is_refused_with_its_value(attributes, words):
    with pytest.raises(UsageError, match=r"^--arm: ") as caught:
        check_arm(attributes)
    assert words in str(caught.value)


def test_every_fault_is_named_and_so_is_where_it_comes_from():
    with pytest.raises(UsageError, match=r"^experiments\.yaml: ") as caught:
        check_arm({"l_inv": "2", "data": "300"}, source="experiments.yaml")
    assert "l_inv=2" in str(caught.value)
    assert "data=300%" in str(caught.value)
