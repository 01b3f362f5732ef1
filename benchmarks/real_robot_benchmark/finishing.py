"""The end of a campaign: the key is opened on the record, and the log becomes runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from real_robot_benchmark.campaign import Campaign
from real_robot_benchmark.records import blinding, derive_runs
from real_robot_benchmark.seal import Arm
from real_robot_benchmark.session import Session
from real_robot_benchmark.state import CampaignState
from seer_bench.errors import UsageError


@dataclass(frozen=True)
class Finished:
    """What `finish` gave."""

    campaign: Campaign
    state: CampaignState
    arms: Mapping[str, Arm]
    """Letter -> policy."""
    runs: Mapping[str, Path]
    """Letter -> run directory, of the policies that were tried."""
    blinding: str
    """What the operator knew, in one sentence."""


def finish(
    path: Path,
    *,
    partial: bool = False,
    unblind_early: bool = False,
    passphrase: str | None = None,
    key_file: Path | None = None,
) -> Finished:
    """Derive the runs of a campaign; of a blind one the key is opened first, which goes on record.

    Args:
        path: the campaign's folder.
        partial: derive runs although trials are open.
        unblind_early: open the key of a blind campaign although trials are open; every report will say so.
        passphrase: of an encrypted key.
        key_file: the sealed key, where somebody else kept it.

    Raises:
        UsageError: trials are open and `partial` was not said, or of a blind campaign `unblind_early`.
        SealError: the key cannot be opened.
        RunLockedError: a console holds the campaign.
    """
    campaign = Campaign.load(path)
    state = campaign.state()
    refuse_open(campaign, state, partial=partial, unblind_early=unblind_early)
    if campaign.blind and state.opened_key is None:
        with Session.open(path, console="finish") as session:
            refuse_open(campaign, session.state, partial=partial, unblind_early=unblind_early)
            session.open_key(passphrase, key_file)
    arms = campaign.read_key(passphrase, key_file)
    state = campaign.state()
    return Finished(campaign, state, arms, derive_runs(campaign, state, arms), blinding(campaign, state))


def refuse_open(campaign: Campaign, state: CampaignState, *, partial: bool, unblind_early: bool) -> None:
    """Refuse a campaign with open trials, unless that is meant."""
    if state.done == state.total:
        return
    where = f"{campaign.path}: {state.done} of {state.total} trials are done."
    go_on = f"Go on with: seer-bench real run {campaign.path}"
    if not state.attempts:
        raise UsageError(f"{where} {go_on}")
    if campaign.blind and state.opened_key is None and not unblind_early:
        raise UsageError(
            f"{where} To open the key now would unblind the rest, and every report would say so. {go_on} - or add "
            "--partial --unblind-early."
        )
    if not partial:
        raise UsageError(f"{where} {go_on} - or add --partial for reports about those that are done.")
