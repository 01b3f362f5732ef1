"""Pressing keys: one console at a time, and every press on the disk before anybody sees it.

The consoles of one process (terminal, web page, the loop that drives the robot) share one `Session`; a second process
is refused and told who holds the campaign.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from real_robot_benchmark.campaign import Campaign
from real_robot_benchmark.events import EventLog
from real_robot_benchmark.fold import fold, step
from real_robot_benchmark.seal import OPENED, Arm
from real_robot_benchmark.state import CampaignState, OutdatedError, PressError
from real_robot_benchmark.view import View, make_view
from seer_bench.errors import StoreError
from seer_bench.store import RunLock, write_atomic

_log = logging.getLogger(__name__)

Listener = Callable[[CampaignState], None]


class Session:
    """The one console of a campaign; a context manager, made by `Session.open`.

    Every method that presses a key returns once the press is on the disk and the state has changed. If it raises,
    nothing has changed: PressError when the key cannot be pressed now, StoreError when the disk refuses. Any thread
    may press.
    """

    campaign: Campaign
    dropped: int
    """Bytes of a press that the last console could not finish writing; 0 as a rule."""

    def __init__(self, campaign: Campaign, log: EventLog, lock: RunLock, clock: Callable[[], float]) -> None:
        """Take over a campaign that `open` locked."""
        self.campaign = campaign
        self._log = log
        self._file_lock = lock
        self._clock = clock
        self._opened_at = clock()
        self._lock = threading.RLock()
        self._listeners: list[Listener] = []
        self._open = True
        self.dropped = log.history.torn
        self._state = fold(campaign.plan, log.history.events)
        self._number = 0

    @classmethod
    def open(
        cls, path: Path, *, console: str, operator: str = "", clock: Callable[[], float] = time.monotonic
    ) -> Session:
        """Open a campaign for pressing keys.

        Args:
            path: the campaign's folder.
            console: what presses, e.g. "terminal", "web", "robot"; told to whoever comes second.
            operator: name of the person, kept in the log; may be empty.
            clock: seconds on a steady clock.

        Raises:
            RunLockedError: another console holds the campaign; it is named.
            DamagedRecordError: plan or log were altered.
            StoreError: it is no campaign, or cannot be written.
        """
        campaign = Campaign.load(path)
        lock = RunLock(
            path, role=f"the {console} console", advice="Close it there, or go on there: one console at a time."
        )
        try:
            log = EventLog(campaign.log, campaign.genesis)
            try:
                session = cls(campaign, log, lock, clock)
                facts = {"console": console, "operator": _words(operator), "pid": os.getpid()}
                facts["dropped_bytes"] = session.dropped
                session._record("opened", facts)
            except BaseException:
                log.close()
                raise
        except BaseException:
            lock.release()
            raise
        return session

    # --- looking -----------------------------------------------------------------------------------------

    @property
    def state(self) -> CampaignState:
        """The state after the last press that is on the disk."""
        return self._state

    @property
    def head(self) -> str:
        """Hash of the last line of the log."""
        return self._log.history.head

    @property
    def number(self) -> int:
        """Line of the log that last changed what a screen shows; `press` compares it."""
        return self._number

    def clock(self) -> float:
        """Seconds of execution of the attempt at hand, pauses counted out, until now."""
        with self._lock:
            state = self._state
            return state.seconds + (max(0.0, self._now() - state.t) if state.ticking else 0.0)

    def view(self) -> View:
        """Everything that a screen shows, in words."""
        with self._lock:
            return make_view(self.campaign, self._state, self.clock())

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with the new state after every press, in the thread that pressed; the result ends that.

        A listener may look, but not press.
        """
        with self._lock:
            self._listeners.append(listener)

        def unsubscribe() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return unsubscribe

    # --- pressing ----------------------------------------------------------------------------------------

    def press(self, key: str, text: str = "", *, by: str = "", seen: int | None = None) -> CampaignState:
        """Press a key, as `CampaignState.keys` names them.

        Args:
            key: "space", "1" to "9", "s", "f", "t", "enter", "v", "n", "p" or "u".
            text: the reason of "v", the text of "n"; of "f" and "p" an optional one.
            by: who pressed, where several consoles share the session.
            seen: the `number` of what the screen showed; if that is past, OutdatedError. None presses anyway.
        """
        with self._lock:
            self._refuse_outdated(seen)
            if key.isdecimal() and len(key) == 1:
                return self.stage(int(key), by=by)
            if key not in _KEYS:
                raise PressError(f"'{key}' is no key.")
            return _KEYS[key](self, text.strip(), by)

    def _refuse_outdated(self, seen: int | None) -> None:
        """Raise OutdatedError if the state that a screen showed is past; None is never outdated."""
        if seen is not None and seen != self._number:
            raise OutdatedError("the campaign went on meanwhile, nothing was recorded. Look again, then press.")

    def start(self, *, by: str = "") -> CampaignState:
        """The scene is set up and the policy starts: the clock runs."""
        return self._press("start", by=by)

    def stage(self, number: int, *, step: int | None = None, by: str = "") -> CampaignState:
        """Stages 1 to `number` are completed; the last one ends the trial as a success.

        Args:
            number: of the stage, from 1.
            step: control steps executed so far, where they are counted.
            by: who pressed.
        """
        data = {"stage": number} if step is None else {"stage": number, "step": step}
        return self._press("stage", data, by=by)

    def success(self, *, step: int | None = None, by: str = "") -> CampaignState:
        """All stages are completed."""
        with self._lock:
            return self.stage(max(1, self._state.stages_total), step=step, by=by)

    def fail(self, reason: str = "failed", *, policy_error: bool = False, by: str = "") -> CampaignState:
        """The trial is over with the stages that are counted.

        Args:
            reason: why, in words.
            policy_error: the policy itself failed, or asked for what is refused; reports count these apart.
            by: who pressed.
        """
        data = {"reason": _words(reason) or "failed"}
        return self._press("fail", {**data, "policy_error": True} if policy_error else data, by=by)

    def timeout(self, *, by: str = "") -> CampaignState:
        """The trial is over because its time is up."""
        return self.fail("timeout", by=by)

    def next(self, *, by: str = "") -> CampaignState:
        """Go on to the next trial."""
        return self._press("next", by=by)

    def void(self, reason: str, *, trial: int | None = None, by: str = "", seen: int | None = None) -> CampaignState:
        """The attempt does not count and is repeated.

        Args:
            reason: why; it stays in the record.
            trial: number of an earlier trial; the one at hand if not given.
            by: who pressed.
            seen: as of `press`.
        """
        data: dict[str, Any] = {"reason": _words(reason), **({} if trial is None else {"trial": trial})}
        with self._lock:
            self._refuse_outdated(seen)
            return self._press("void", data, by=by)

    def note(self, text: str, *, by: str = "") -> CampaignState:
        """Keep a sentence with the attempt at hand or just ended."""
        return self._press("note", {"text": _words(text)}, by=by)

    def pause(self, reason: str = "", *, by: str = "") -> CampaignState:
        """Stop all clocks."""
        return self._press("pause", {"reason": _words(reason)} if reason else {}, by=by)

    def resume(self, *, by: str = "") -> CampaignState:
        """Let the clocks run again."""
        return self._press("resume", by=by)

    def undo(self, *, by: str = "") -> CampaignState:
        """Take the last press back, whatever it was and whoever pressed it."""
        with self._lock:
            last = self._state.undoable
            if last is None:
                raise PressError("there is nothing to take back.")
            return self._press("undo", {"of": last.number}, by=by)

    def attach(self, **facts: Any) -> CampaignState:
        """Keep facts (JSON values) with the attempt at hand or just ended; a later one of the same name replaces.

        `actions`, the path of an .npy file with the executed actions (T, dim) relative to the campaign, becomes part
        of the run's records; all others are kept beside them.
        """
        return self._press("attach", facts)

    # --- the key of a blind campaign ---------------------------------------------------------------------

    def open_key(self, passphrase: str | None = None, file: Path | None = None) -> Mapping[str, Arm]:
        """Who the letters are, for people to see; the opening is on record before this returns.

        Args:
            passphrase: of an encrypted key.
            file: the sealed key, where somebody else kept it.

        Raises:
            SealError: the key is missing, is not the one of this campaign, or the passphrase is wrong.
            PressError: a trial is running.
        """
        with self._lock:
            campaign = self.campaign
            if campaign.blind and self._state.opened_key is None:
                plain = campaign.open_seal(passphrase, file)
                self._press("unblinded")
                write_atomic(campaign.path / OPENED, plain)
            return campaign.read_key(passphrase, file)

    def policy_key(self, passphrase: str | None = None, file: Path | None = None) -> Mapping[str, Arm]:
        """Who the letters are, for a driver that must start the right policy and shows it to nobody.

        It is on record as a use of the key, not as an unblinding; raises as `open_key`.
        """
        with self._lock:
            arms = self.campaign.read_key(passphrase, file)
            if self.campaign.blind:
                self._press("key_used")
            return arms

    # --- closing -----------------------------------------------------------------------------------------

    def close(self) -> None:
        """Put the closing on record and let the next console in; a running trial is left paused."""
        with self._lock:
            if not self._open:
                return
            try:
                self._record("closed", {})
            finally:
                self._open = False
                self._log.close()
                self._file_lock.release()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except StoreError:
            if kind is None:  # an error on its way out matters more than the same full disk once again
                raise

    def _press(self, kind: str, data: Mapping[str, Any] | None = None, *, by: str = "") -> CampaignState:
        """Record an event, then tell the listeners."""
        with self._lock:
            if not self._open:
                raise PressError("the console is closed.")
            self._record(kind, {**(data or {}), **({"by": by} if by else {})})
            state = self._state
            for listener in tuple(self._listeners):
                try:
                    listener(state)
                except Exception:  # the press is on the disk, and whoever pressed must not be told otherwise
                    _log.exception("a listener of the campaign failed")
            return state

    def _record(self, kind: str, data: Mapping[str, Any]) -> None:
        """See that the event is possible, write it, then change the state: in this order."""
        event = self._log.prepare(kind, self._now(), data)
        if kind == "undo":
            after = fold(self.campaign.plan, (*self._log.history.events, event))
        else:
            after = step(self._state, event)
        self._log.append(event)
        self._state = after
        if kind not in _UNSEEN:
            self._number = event.number

    def _now(self) -> float:
        """Seconds since the console was opened."""
        return self._clock() - self._opened_at


def _words(text: str) -> str:
    """A text on one line, without what would steer a terminal or cannot be written as UTF-8."""
    return "".join(c for c in " ".join(text.split()) if unicodedata.category(c) not in ("Cc", "Cs"))


_UNSEEN = frozenset({"attach", "key_used"})
"""Events that change nothing that a screen shows."""

_KEYS: Mapping[str, Callable[[Session, str, str], CampaignState]] = {
    "space": lambda session, _, by: session.start(by=by),
    "s": lambda session, _, by: session.success(by=by),
    "f": lambda session, text, by: session.fail(text, by=by),
    "t": lambda session, _, by: session.timeout(by=by),
    "enter": lambda session, _, by: session.next(by=by),
    "v": lambda session, text, by: session.void(text, by=by),
    "n": lambda session, text, by: session.note(text, by=by),
    "p": lambda session, text, by: session.resume(by=by) if session.state.paused else session.pause(text, by=by),
    "u": lambda session, _, by: session.undo(by=by),
}
