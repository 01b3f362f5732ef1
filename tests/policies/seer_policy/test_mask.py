"""Who may attend to whom."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seer_bench import UsageError
from seer_policy.config import STATE_TOKEN, AttentionOptions, TokenLayout
from seer_policy.mask import attention_mask

NAMES = [
    "calvin_ft", "libero_ft", "large_ft", "calvin_pre", "large_pre", "real_pre", "libero_pre_seed0", "small_noobs",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_masks_are_bit_equal_to_the_published_ones(golden, name):
    facts = json.loads((golden.folder / "masks.json").read_text())[name]
    with np.load(golden.folder / "masks.npz") as masks:
        shape = tuple(masks[f"{name}__shape"])
        recorded = np.unpackbits(masks[name])[: shape[0] * shape[1]].reshape(shape).astype(bool)
    layout = TokenLayout(facts["num_A"], facts["num_obs_token"], facts["action_pred_steps"])
    options = AttentionOptions(
        goal_offset=facts["atten_goal"] if facts["atten_goal_state"] else 0,
        isolated_actions=facts["atten_only_obs"],
        actions_see_state=facts["attn_robot_proprio_state"],
        hidden_foresight=facts["mask_l_obs_ratio"],
    )
    assert layout.foresight + layout.actions == facts["num_B"]
    mask = attention_mask(layout, facts["K"], options, np.random.RandomState(0))
    np.testing.assert_array_equal(mask, recorded)


options = st.one_of(
    st.builds(AttentionOptions, st.integers(0, 5)),
    st.builds(AttentionOptions, st.integers(0, 5), st.just(True), st.booleans(), st.floats(0, 0.99)),
)
layouts = st.builds(TokenLayout, st.integers(2, 6).map(lambda q: 2 * q), st.integers(0, 8), st.integers(1, 3))


@given(layouts, st.integers(1, 6), options, st.integers(0, 2**31))
def test_rules_that_every_mask_keeps(layout, steps, options, seed):
    mask = attention_mask(layout, steps, options, np.random.RandomState(seed))
    step, kind = np.divmod(np.arange(len(mask)), layout.per_step)
    assert mask.any(axis=1).all()  # a softmax over an empty row is not a number
    readers = [range(layout.per_step)[part] for part in (layout.foresight_slice, layout.action_slice)]
    goals = np.isin(kind, readers[0])[:, None] & (kind == STATE_TOKEN)[None]
    goals &= step[None] == step[:, None] + options.goal_offset
    assert not (mask & ~goals)[step[:, None] < step[None]].any()  # nothing later than itself, but goals
    assert mask[goals].all()
    own_foresight = np.isin(kind, readers[1])[:, None] & np.isin(kind, readers[0])[None] & (step[:, None] == step[None])
    assert not mask[:, kind >= layout.observed][~own_foresight[:, kind >= layout.observed]].any()


def test_hidden_foresight_tokens_are_drawn_for_every_step_and_mask():
    layout = TokenLayout(16, 18, 3)
    options = AttentionOptions(isolated_actions=True, hidden_foresight=0.5)
    rng = np.random.RandomState(0)
    first, second = (attention_mask(layout, 2, options, rng) for _ in range(2))
    seen = [mask[i * 37 + 34 : i * 37 + 37, i * 37 + 16 : i * 37 + 34] for mask in (first, second) for i in range(2)]
    for rows in seen:
        assert (rows.sum(axis=1) == 9).all()
        assert (rows == rows[0]).all()
    assert len({rows[0].tobytes() for rows in seen}) == 4
    assert attention_mask(layout, 2, options)[34:37, 16:34].all()


@pytest.mark.parametrize(
    ("given_options", "named"),
    [
        ({"goal_offset": -1}, "goal_offset"),
        ({"hidden_foresight": 1.0, "isolated_actions": True}, "hidden_foresight"),
        ({"actions_see_state": True}, "isolated_actions"),
    ],
)
def test_options_without_meaning_are_refused(given_options, named):
    with pytest.raises(UsageError, match=named):
        AttentionOptions(**given_options)
