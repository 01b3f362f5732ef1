"""The operator's page in a browser: a whole campaign by taps, and what a phone, a slip or a lost line does to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("starlette", reason="the page needs starlette: pip install 'seer-bench[real]'")
pytest.importorskip("uvicorn", reason="the page needs uvicorn: pip install 'seer-bench[real]'")

from real_robot_benchmark.campaign import Campaign
from real_robot_benchmark.events import EventLog
from real_robot_benchmark.session import Session
from real_robot_benchmark.web import Address, WebConsole
from seer_bench.errors import StoreError
from tests.browser import FAINT, Browser

CONNECTED = "!document.body.classList.contains('offline')"


class Page:
    """The operator's page on a phone or a desk."""

    def __init__(self, browser: Browser, session: Session) -> None:
        self.browser = browser
        self.session = session

    def open(self, url: str, **options: object) -> None:
        self.browser.open("about:blank")
        self.browser.complaints.clear()
        self.browser.requests.clear()
        self.browser.open(url, **options)
        self.browser.wait(CONNECTED)

    def tap(self, key: str) -> None:
        """Tap a button and wait until the page shows what became of it."""
        button = f"[data-key='{key}']"
        self.browser.wait(f'!document.querySelector("{button}").disabled')
        self.browser.evaluate("settled = 0")  # as if the operator had waited a moment
        number = self.session.number
        self.browser.click(button)
        self.browser.wait(f"!pending && state.number > {number}")

    def answer(self, key: str, text: str) -> None:
        """Tap a button that asks, type, and confirm."""
        number = self.session.number
        self.ask(key)
        self.browser.type(text)
        self.browser.click("#ask-ok")
        self.browser.wait(f"!pending && state.number > {number}")

    def ask(self, key: str) -> None:
        """Tap a button that asks."""
        self.browser.wait("Date.now() > settled")
        self.browser.click(f"footer [data-key='{key}']")
        self.browser.wait("ask.open")

    def words(self, selector: str = "body") -> str:
        return str(self.browser.evaluate(f"document.querySelector({selector!r}).innerText"))


@pytest.fixture
def console(session: Session) -> Iterator[WebConsole]:
    with WebConsole(session, Address(port=0)) as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, session: Session, console: WebConsole) -> Page:
    page = Page(browser, session)
    page.open(console.url, width=390)
    return page


def test_a_whole_campaign_by_taps(browser: Browser, planned: Callable[..., Campaign]) -> None:
    campaign = planned(trials=1, only=("wash_up",), blind=True)
    with Session.open(campaign.path, console="web") as session, WebConsole(session, Address(port=0)) as console:
        page = Page(browser, session)
        page.open(console.url, width=390)
        port = int(console.url.rstrip("/").rpartition(":")[2])
        assert "Trial 1 of 6" in page.words("header")
        page.tap("space")
        page.tap("1")
        assert browser.evaluate("document.querySelector('.stage').classList.contains('done')")
        page.tap("u")
        page.answer("n", "hesitates")
        page.tap("s")
        assert page.words("#message").startswith("Success,")
        page.tap("enter")
        page.tap("space")
        page.ask("v")
        assert browser.evaluate("document.querySelector('#ask-ok').disabled")  # a reason is needed
        browser.click("#ask-quick button:nth-child(2)")
        browser.click("#ask-ok")
        browser.wait("state.view.attempt === 2")
        page.tap("space")
        page.tap("f")
        page.tap("enter")
        page.tap("space")
        assert browser.complaints == []
        assert set(browser.requests) <= {console.url, *(f"{console.url}{name}" for name in ("events", "press"))}
    browser.wait("document.body.classList.contains('offline')")
    assert "NOT CONNECTED" in page.words("#banner")
    assert browser.evaluate("[...document.querySelectorAll('footer button, .stage')].every(b => b.disabled)")

    with Session.open(campaign.path, console="web") as session, WebConsole(session, Address(port=port)):
        page = Page(browser, session)
        browser.wait(f"{CONNECTED} && state.view.paused")
        browser.complaints.clear()
        assert "Paused" in page.words("#message")
        page.tap("p")
        page.tap("t")
        for number in range(4, 7):
            page.tap("enter")
            page.tap("space")
            page.tap("s" if number % 2 else "f")
        page.tap("enter")
        assert page.words("h1") == "All 6 trials are done"
        page.ask("e")
        browser.type("5")
        browser.click("#ask-text")
        browser.type("wrong cup")
        browser.click("#ask-ok")
        browser.wait("state.view.phase === 'setup'")
        page.tap("space")
        page.tap("s")
        page.tap("enter")
        assert browser.complaints == []
        state = session.state
    assert (state.phase, state.done, len(state.attempts)) == ("finished", 6, 8)
    assert [(a.trial.number, a.reason) for a in state.voided] == [(2, "robot fault"), (5, "wrong cup")]
    outcomes = [attempt.outcome for attempt in state.valid]
    assert outcomes == ["success", "failure", "failure", *("success" if n % 2 else "failure" for n in range(4, 7))]
    assert state.valid[0].notes == ("hesitates",)
    assert state.valid[2].reason == "timeout"


def test_keys_of_a_keyboard(page: Page, session: Session) -> None:
    browser = page.browser
    for key, phase in ((" ", "running"), ("1", "running"), ("S", "ended"), ("Enter", "setup"), (" ", "running")):
        number = session.number
        browser.key(key)
        browser.wait(f"!pending && state.number > {number} && state.view.phase === '{phase}'")
    browser.key("n")
    browser.wait("ask.open")
    browser.type("tsf")
    browser.key("Enter")
    browser.wait("!pending && state.view.notes.length === 1")
    assert session.state.notes == ("tsf",)
    browser.key("x")
    browser.key("9")
    assert session.state.phase == "running"


def test_the_page_follows_other_consoles(page: Page, session: Session) -> None:
    session.press("space", by="terminal")
    page.browser.wait("state.view.phase === 'running' && parseInt(document.querySelector('#clock').innerText) === 0")
    session.press("f", by="terminal")
    page.browser.wait("document.querySelector('#message').innerText.startsWith('Not solved (failed)')")


def test_a_press_on_what_is_past_is_refused_and_the_page_catches_up(page: Page, session: Session) -> None:
    browser = page.browser
    browser.evaluate("source.close()")  # this screen hears nothing of the other one
    session.press("space", by="terminal")
    browser.evaluate("press('p')")
    browser.wait("!pending && state.view.phase === 'running'")
    assert "went on meanwhile" in page.words("#message")
    assert not session.state.paused


def test_a_press_whose_answer_is_lost_is_pressed_once(page: Page, session: Session) -> None:
    browser = page.browser
    browser.evaluate("""
        window.sent = 0;
        const really = window.fetch;
        window.fetch = async (...request) => {
            const answer = await really(...request);
            if (++sent < 3) throw new TypeError("the answer is lost");
            return answer;
        };
        0
    """)
    page.tap("space")
    assert browser.evaluate("sent") == 3
    assert [event.kind for event in session.campaign.history().events] == ["opened", "start"]


def test_a_question_is_answered_for_what_was_seen_when_it_came_up(page: Page, session: Session) -> None:
    browser = page.browser
    page.tap("space")
    page.ask("v")
    for key in ("f", "enter", "space"):
        session.press(key, by="terminal")
    browser.wait(f"state.number === {session.number}")
    browser.type("slipped")
    browser.click("#ask-ok")
    browser.wait("!pending && !ask.open")
    assert session.state.voided == ()
    assert "went on meanwhile" in page.words("#message")
    page.ask("v")
    assert browser.evaluate("document.querySelector('#ask-text').value") == "slipped"  # not typed in vain
    browser.click("#ask-ok")
    browser.wait("state.view.attempt === 2")
    page.tap("space")
    page.ask("v")
    assert browser.evaluate("document.querySelector('#ask-text').value") == ""
    browser.type("no line")
    browser.evaluate("disconnected()")
    assert browser.evaluate("document.querySelector('#ask-ok').disabled")
    browser.evaluate("connected(), allow()")
    browser.click("#ask-ok")
    browser.wait("state.view.attempt === 3")


def test_a_page_behind_others_leaves_the_line_to_them(page: Page, session: Session) -> None:
    browser = page.browser
    turn = """
        Object.defineProperty(document, "hidden", {value: %s, configurable: true});
        document.dispatchEvent(new Event("visibilitychange"))
    """
    browser.evaluate(turn % "true")
    assert browser.evaluate("source.readyState === EventSource.CLOSED && !online")
    session.press("space", by="terminal")
    browser.evaluate(turn % "false")
    browser.wait(f"{CONNECTED} && state.view.phase === 'running'")


def test_a_double_tap_takes_nothing_back(page: Page, session: Session) -> None:
    page.tap("space")
    page.tap("1")
    twice = """
        (async () => {
            const number = state.number;
            document.querySelector("[data-key=%s]").click();
            while (pending || state.number === number) await new Promise(done => setTimeout(done, 5));
            document.querySelector("[data-key=%s]").click();
        })()
    """
    page.browser.wait("Date.now() > settled")
    page.browser.evaluate(twice % ("p", "p"))
    page.browser.wait("!pending && Date.now() > settled")
    assert session.state.paused
    page.browser.evaluate(twice % ("u", "u"))
    page.browser.wait("!pending && Date.now() > settled")
    assert (session.state.paused, session.state.stages_done) == (False, 1)


def test_a_double_tap_starts_nothing_by_accident(page: Page, session: Session) -> None:
    page.tap("space")
    page.tap("f")
    page.browser.wait("Date.now() > settled")
    page.browser.evaluate("""
        (async () => {
            document.querySelector("[data-key=enter]").click();
            while (state.view.phase !== "setup") await new Promise(done => setTimeout(done, 5));
            document.querySelector("[data-key=space]").click();
        })()
    """)
    page.browser.wait("!pending && Date.now() > settled")
    assert session.state.phase == "setup"


def test_what_the_disk_refuses_is_shown_big(page: Page, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(log: EventLog, event: object) -> None:
        raise StoreError("not recorded: No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(EventLog, "append", full)
        page.browser.wait("Date.now() > settled")
        page.browser.click("[data-key='space']")
        page.browser.wait("lost.open")
    assert "NOT RECORDED" in page.words("#lost")
    assert "No space left" in page.words("#lost")
    assert page.browser.evaluate("state.view.phase") == "setup"
    page.browser.click("#lost-ok")
    page.tap("space")


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (390, "dark"), (1280, "light"), (1280, "dark")])
def test_every_phase_fits_the_screen_and_can_be_read_and_hit(
    browser: Browser, session: Session, width: int, scheme: str
) -> None:
    session.note("the cup has a chip at the handle, which the gripper does not like at all")
    with WebConsole(session, Address(port=0), on_stop=lambda by: None) as console:
        page = Page(browser, session)
        page.open(console.url, width=width, scheme=scheme)
        colour = browser.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (colour == "rgb(13, 17, 22)") == (scheme == "dark")
        for key in ("", "space", "1", "p", "p", "f", "enter"):
            if key:
                session.press(key)
                browser.wait(f"state.number === {session.number}")
            assert browser.evaluate("document.documentElement.scrollWidth") <= width
            assert browser.evaluate(SMALL) == []
            assert browser.evaluate(FAINT) == []
        for key in ("n", "e"):
            browser.evaluate(f"question('{key}')")
            assert browser.evaluate("document.documentElement.scrollWidth") <= width
            assert browser.evaluate(SMALL) == []
            browser.evaluate("ask.close()")


SMALL = """
[...document.querySelectorAll("button, input, textarea")].filter(node => node.checkVisibility() && !node.disabled)
    .map(node => [node.innerText, node.getBoundingClientRect().width, node.getBoundingClientRect().height])
    .filter(([_, width, height]) => width < 48 || height < 48)
"""
"""What a thumb cannot hit."""


def test_a_device_opens_the_link_once(browser: Browser, session: Session) -> None:
    everywhere = "0.0.0.0"  # noqa: S104 - what the test is about
    with WebConsole(session, Address(everywhere, 0)) as console:
        port = console.url.rstrip("/").rpartition(":")[2]
        url = f"http://127.0.0.1:{port}/"
        browser.open(f"{url}enter")
        assert "Open the link" in browser.evaluate("document.body.innerText")
        browser.open("about:blank")
        browser.open(f"{url}enter#wrong")
        browser.wait("document.body.innerText.includes('Not let in')")
        token = console.link.partition("#")[2]
        browser.open("about:blank")
        browser.requests.clear()
        browser.open(f"{url}enter#{token}")
        browser.wait("typeof state !== 'undefined' && state && state.view.phase === 'setup'")
        assert browser.evaluate("location.href") == url
        assert token not in browser.evaluate("document.cookie + document.documentElement.outerHTML")
        history = browser.call("Page.getNavigationHistory")["entries"]
        assert not [entry for entry in history if token in entry["url"]]
        Page(browser, session).tap("space")
    browser.call("Network.clearBrowserCookies")


def test_stop_is_one_tap_away_and_says_when_it_did_not_arrive(browser: Browser, session: Session) -> None:
    stops: list[str] = []
    alive: list[str] = []
    page = Page(browser, session)
    with WebConsole(session, Address(port=0), on_stop=stops.append, on_alive=alive.append) as console:
        page.open(console.url, width=390)
        browser.click("#stop")
        browser.wait("document.querySelector('#message').innerText.startsWith('STOP was sent')")
        page.ask("n")
        browser.key("Escape")
        browser.wait("!ask.open")
        ends = time.monotonic() + 10
        while not alive:
            assert time.monotonic() < ends
            browser.evaluate("new Promise(done => setTimeout(done, 50))")
    assert stops == ["web", "web"]
    assert set(alive) == {"web"}
    browser.wait("document.body.classList.contains('offline')")
    browser.evaluate("stop()")
    browser.wait("lost.open")
    assert "NOT STOPPED" in page.words("#lost")
