"""Blinding: nothing tells letters and policies apart before the key is opened, and the opening is on record."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from real_robot_benchmark.arms import make_arm
from real_robot_benchmark.campaign import Campaign
from real_robot_benchmark.finishing import finish
from real_robot_benchmark.seal import KEY_FILE, OPENED, SealError, draw, seal
from real_robot_benchmark.session import Session
from real_robot_benchmark.state import PressError
from seer_bench.errors import UsageError
from tests.fakes.kitchen import Clock, play


def readable(folder: Path) -> str:
    """Everything in a campaign but the sealed key: names and contents."""
    parts = []
    for path in sorted(folder.rglob("*")):
        parts.append(path.name)
        if path.is_file() and path.name != KEY_FILE:
            parts.append(path.read_text())
    return "\n".join(parts)


def without_chance(text: str) -> str:
    """The same with what is drawn or timed left out."""
    text = re.sub(r'"(commitment|prev|hash)": ?"[0-9a-f]{64}"', "", text)
    text = re.sub(r'"(at|created)": ?"[^"]*"', "", text)
    return re.sub(r'"pid": ?\d+', "", text)


def test_the_folder_does_not_depend_on_who_is_who(planned: Callable[..., Campaign]) -> None:
    texts: dict[str, set[str]] = {}
    sizes = set()
    for i in range(12):
        campaign = planned(f"c{i}", blind=True, seed=7)
        with Session.open(campaign.path, console="terminal", clock=Clock()) as session:
            play(session, 1)
            session.press("n", "the gripper squeaks")
            shown = json.dumps(session.view().to_json())
        who = campaign.read_key()["A"].label
        texts.setdefault(who, set()).add(without_chance(readable(campaign.path) + shown))
        sizes.add((campaign.path / KEY_FILE).stat().st_size)
    assert set(texts) == {"seer", "mvp"}, "twelve draws of two gave one order only: p = 1/2048"
    assert texts["seer"] == texts["mvp"]
    assert len(texts["seer"]) == 1
    assert len(sizes) == 1
    (text,) = texts["seer"]
    assert "seer-bench" in text
    assert not re.search(r"\bmvp\b|\bseer\b(?!-bench)", text), "no policy is named anywhere"


def test_the_key_comes_from_no_seed(planned: Callable[..., Campaign]) -> None:
    firsts = Counter(planned(f"c{i}", blind=True, seed=0).read_key()["A"].label for i in range(20))
    assert set(firsts) == {"seer", "mvp"}, "one seed gave one key twenty times: p = 1/2**19"
    arms = [make_arm(label) for label in ("a", "b", "c")]
    orders = Counter("".join(arm.label for arm in draw(arms, "ABC").values()) for _ in range(1200))
    assert set(orders) == {"".join(order) for order in itertools.permutations("abc")}
    assert min(orders.values()) > 130, "each of six orders is expected 200 times; 130 is 5.4 standard deviations below"


def test_the_commitment_cannot_be_tried_out(planned: Callable[..., Campaign]) -> None:
    campaign = planned(blind=True)
    plan = (campaign.path / "campaign.json").read_text()
    salts = ["", *re.findall(r"[0-9a-f]{32,64}", plan)]
    arms = [make_arm("seer"), make_arm("mvp")]
    for order, salt in itertools.product(itertools.permutations(arms), salts):
        tree = {"salt": salt, "key": dict(zip("AB", map(asdict, order), strict=True))}
        text = json.dumps(tree, sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256(text.encode()).hexdigest() != campaign.commitment


def test_with_a_passphrase_nobody_else_opens_it(planned: Callable[..., Campaign]) -> None:
    words = "tea at five"
    campaign = planned(blind=True, passphrase=words)
    sealed = (campaign.path / KEY_FILE).read_text()
    assert "seal" in sealed
    assert "mvp" not in sealed
    with pytest.raises(SealError, match="--passphrase-file"):
        campaign.read_key()
    with pytest.raises(SealError, match="passphrase is wrong"):
        campaign.read_key("tea at six")
    assert {arm.label for arm in campaign.read_key(words).values()} == {"seer", "mvp"}


def test_without_one_a_glance_shows_nothing(planned: Callable[..., Campaign]) -> None:
    sealed = (planned(blind=True).path / KEY_FILE).read_text()
    assert "seer" not in sealed.replace("seer-bench", "")
    assert "mvp" not in sealed


def test_an_exchanged_key_is_refused(planned: Callable[..., Campaign]) -> None:
    one, other = planned("one", blind=True), planned("other", blind=True)
    (one.path / KEY_FILE).write_bytes((other.path / KEY_FILE).read_bytes())
    with pytest.raises(SealError, match="not the key that this campaign was planned with"):
        one.read_key()
    (one.path / KEY_FILE).write_text("{}")
    with pytest.raises(SealError, match="no sealed key"):
        one.read_key()
    for text in ('{"seal": "encoded", "text": 5}', '{"seal": "encrypted", "scrypt_salt": "00", "text": 5}'):
        (one.path / KEY_FILE).write_text(text)
        with pytest.raises(SealError):
            one.read_key("secret")
    (one.path / KEY_FILE).unlink()
    with pytest.raises(SealError, match="--key FILE"):
        one.read_key()


def test_a_second_person_may_keep_the_key(planned: Callable[..., Campaign], tmp_path: Path, clock: Clock) -> None:
    campaign = planned(blind=True)
    kept = (campaign.path / KEY_FILE).rename(tmp_path / "safe.sealed")
    with Session.open(campaign.path, console="terminal", clock=clock) as session:
        while session.state.phase != "finished":
            play(session, 2)
    with pytest.raises(SealError):
        finish(campaign.path)
    done = finish(campaign.path, key_file=kept)
    assert done.blinding.startswith("Blind: the key was opened after the last of 20 trials.")
    assert finish(campaign.path).arms == done.arms, "once opened on the record it is no secret any more"


def test_an_early_opening_is_refused_and_then_on_record(planned: Callable[..., Campaign], clock: Clock) -> None:
    campaign = planned(blind=True)
    with Session.open(campaign.path, console="terminal", clock=clock) as session:
        for _ in range(3):
            play(session, 1)
    with pytest.raises(UsageError, match="would unblind the rest"):
        finish(campaign.path, partial=True)
    assert not (campaign.path / OPENED).exists()
    assert campaign.state().opened_key is None
    done = finish(campaign.path, partial=True, unblind_early=True)
    assert done.blinding.startswith("Unblinded after 3 of 20 trials.")
    assert "tamper-evident only" in done.blinding
    with Session.open(campaign.path, console="terminal", clock=clock) as session:
        assert session.state.undoable is None, "what was recorded blind stays as it was"
        with pytest.raises(PressError, match="before the key was opened"):
            session.void("did not like it", trial=1)
        while session.state.phase != "finished":
            play(session, 1)
    done = finish(campaign.path)
    assert done.blinding.startswith("Unblinded after 3 of 20 trials.")


def test_a_driver_reads_the_key_without_unblinding(planned: Callable[..., Campaign], clock: Clock) -> None:
    campaign = planned(blind=True)
    with Session.open(campaign.path, console="robot", clock=clock) as session:
        assert {arm.label for arm in session.policy_key().values()} == {"seer", "mvp"}
        assert session.state.key_uses == 1
        assert session.state.opened_key is None
        assert session.view().policy in ("A", "B")
    assert not (campaign.path / OPENED).exists()


def test_a_key_that_was_opened_behind_the_logs_back_goes_on_record(
    planned: Callable[..., Campaign], clock: Clock
) -> None:
    campaign = planned(blind=True)
    with Session.open(campaign.path, console="terminal", clock=clock) as session:
        play(session, 1)
    (campaign.path / OPENED).write_bytes(campaign.open_seal())
    with pytest.raises(UsageError, match="would unblind the rest"):
        finish(campaign.path, partial=True)
    assert finish(campaign.path, partial=True, unblind_early=True).blinding.startswith(
        "Unblinded after 1 of 20 trials."
    )


def test_one_letter_hides_nothing(planned: Callable[..., Campaign]) -> None:
    with pytest.raises(UsageError, match="two policies at least"):
        planned(blind=True, labels=("seer",))


def test_an_open_campaign_says_who_is_who(session: Session) -> None:
    assert session.view().policy in ("A · seer", "B · mvp")
    assert session.open_key() == session.campaign.arms
    assert session.state.opened_key is None, "there was nothing to open"


def test_an_empty_passphrase() -> None:
    with pytest.raises(UsageError, match="empty"):
        seal({}, "")
