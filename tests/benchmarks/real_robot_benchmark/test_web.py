"""The page's server as a client of HTTP sees it: pressing once, and keeping everybody else out."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import itertools
import json
import logging
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the page needs starlette: pip install 'seer-bench[real]'")
pytest.importorskip("uvicorn", reason="the page needs uvicorn: pip install 'seer-bench[real]'")

from typer.testing import CliRunner

from real_robot_benchmark.arms import make_arm
from real_robot_benchmark.campaign import Campaign, Choices
from real_robot_benchmark.cli import app
from real_robot_benchmark.events import EventLog
from real_robot_benchmark.session import Session
from real_robot_benchmark.web import Address, WebConsole
from seer_bench.errors import StoreError, UsageError

EVERYWHERE = "0.0.0.0"  # noqa: S104 - what the tests are about
_ids = itertools.count()


def new_id() -> str:
    return f"{next(_ids):032x}"


class Client:
    """A device that talks to the server."""

    def __init__(self, console: WebConsole) -> None:
        self.port = int(console.url.rstrip("/").rpartition(":")[2])
        self.cookie = ""

    def ask(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        """One request: status, headers (lower case), body as JSON or text."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        sent = {"Cookie": self.cookie} if self.cookie else {}
        if body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            sent["Content-Type"] = "application/json"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        line.request(method, path, raw, sent)
        answer = line.getresponse()
        data = answer.read().decode()
        line.close()
        kind = answer.getheader("content-type") or ""
        return (
            answer.status,
            {k.lower(): v for k, v in answer.getheaders()},
            json.loads(data) if "json" in kind else data,
        )

    def state(self) -> dict[str, Any]:
        status, _, tree = self.ask("GET", "/state")
        assert status == 200
        return tree

    def press(self, key: str, text: str = "", **fields: Any) -> tuple[int, dict[str, Any]]:
        state = self.state()
        body = {"id": new_id(), "key": key, "text": text, "seen": state["number"], "campaign": state["campaign"]}
        status, _, tree = self.ask("POST", "/press", {**body, **fields})
        return status, tree

    def enter(self, token: str) -> int:
        status, headers, _ = self.ask("POST", "/enter", {"token": token})
        self.cookie = headers.get("set-cookie", "").partition(";")[0] or self.cookie
        return status


@pytest.fixture
def console(session: Session) -> Iterator[WebConsole]:
    with WebConsole(session, Address(port=0)) as opened:
        yield opened


@pytest.fixture
def client(console: WebConsole) -> Client:
    return Client(console)


@pytest.fixture
def guarded(session: Session) -> Iterator[WebConsole]:
    """Open to the network."""
    with WebConsole(session, Address(EVERYWHERE, 0), on_stop=lambda by: None) as opened:
        yield opened


def token_of(console: WebConsole) -> str:
    return console.link.partition("#")[2]


# --- pressing ------------------------------------------------------------------------------------------------


def test_a_press_is_on_the_disk_when_the_answer_comes(session: Session, client: Client) -> None:
    before = client.state()
    assert before["view"]["headline"] == "Trial 1 of 20"
    status, after = client.press("space")
    assert (status, after["view"]["phase"]) == (200, "running")
    assert after["number"] > before["number"]
    last = session.campaign.history().events[-1]
    assert (last.kind, last.data["by"][:4]) == ("start", "web/")
    assert client.press("1")[0] == 200
    assert client.press("n", "hesitates")[1]["view"]["notes"] == ["hesitates"]
    assert client.press("v", "slipped")[1]["view"]["attempt"] == 2


def test_a_press_made_against_an_older_state_is_refused(session: Session, client: Client) -> None:
    seen = client.state()["number"]
    session.press("space")
    lines = len(session.campaign.history().events)
    status, tree = client.press("space", seen=seen)
    assert (status, tree["outdated"], tree["view"]["phase"]) == (409, True, "running")
    assert "went on meanwhile" in tree["error"]
    assert len(session.campaign.history().events) == lines
    assert client.press("f", campaign="another")[1]["outdated"]
    assert len(session.campaign.history().events) == lines
    session.attach(video="x.mp4")  # what no screen shows makes no press outdated
    assert client.press("f", seen=tree["number"])[0] == 200


def test_the_same_press_sent_again_is_pressed_once_even_after_a_new_start(
    planned: Callable[..., Campaign],
) -> None:
    campaign = planned("again")
    press = {"id": new_id(), "key": "space", "text": "", "seen": 1, "campaign": campaign.genesis[:16]}
    with Session.open(campaign.path, console="web") as session, WebConsole(session, Address(port=0)) as console:
        client = Client(console)
        assert client.ask("POST", "/press", press)[0] == 200
        status, _, tree = client.ask("POST", "/press", press)
        assert (status, tree["repeated"]) == (200, True)
        session.undo()
        assert client.ask("POST", "/press", press)[2]["repeated"]
        assert session.state.phase == "setup"
    with Session.open(campaign.path, console="web") as session, WebConsole(session, Address(port=0)) as console:
        assert Client(console).ask("POST", "/press", {**press, "seen": session.number})[2]["repeated"]
    assert [event.kind for event in campaign.history().events].count("start") == 1


def test_of_many_screens_that_press_at_once_one_is_heard(session: Session, console: WebConsole) -> None:
    state = Client(console).state()
    seen = {"seen": state["number"], "campaign": state["campaign"]}
    statuses: list[int] = []

    def press(id: str) -> None:
        body = {"id": id, "key": "space", "text": "", **seen}
        statuses.append(Client(console).ask("POST", "/press", body)[0])

    same = new_id()
    threads = [threading.Thread(target=press, args=(id,)) for id in [same] * 6 + [new_id() for _ in range(6)]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event.kind for event in session.campaign.history().events].count("start") == 1
    assert set(statuses) == {200, 409}
    assert statuses.count(200) in (1, 6)


def test_what_cannot_be_pressed_and_what_the_disk_refuses(
    session: Session, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, tree = client.press("enter")
    assert (status, tree["error"]) == (409, "the trial has not been started; 'space' starts it.")
    press = {"id": new_id(), "key": "space", "text": "", "seen": session.number, "campaign": tree["campaign"]}
    with monkeypatch.context() as broken:

        def full(log: EventLog, event: object) -> None:
            raise StoreError("not recorded: No space left on device")

        broken.setattr(EventLog, "append", full)
        status, _, tree = client.ask("POST", "/press", press)
        assert (status, tree["lost"]) == (507, True)
        assert "No space left" in tree["error"]
        assert session.state.phase == "setup"
    assert client.ask("POST", "/press", press)[0] == 200


def test_an_earlier_trial_is_voided(session: Session, client: Client) -> None:
    for key in ("space", "f", "enter"):
        session.press(key)
    status, tree = client.press("v", "blurred", trial=1)
    assert (status, tree["view"]["headline"], tree["view"]["voided"]) == (200, "Trial 1 of 20", 1)


def test_malformed_presses_are_refused(session: Session, client: Client) -> None:
    for body, words in (
        ([1], "no JSON object"),
        ({}, "'id'"),
        ({"id": "x" * 32}, "'id'"),
        ({"id": "a" * 32, "key": 1}, "'key'"),
        ({"id": "a" * 32, "key": "n", "text": "x" * 501}, "500 characters"),
        ({"id": "a" * 32, "key": "n", "text": ""}, "'seen'"),
        ({"id": "a" * 32, "key": "n", "text": "", "seen": True}, "'seen'"),
        ({"id": "a" * 32, "key": "n", "text": "", "seen": 1}, "'campaign'"),
        ({"id": "a" * 32, "key": "s", "text": "", "seen": 1, "campaign": "", "trial": 2}, "'trial'"),
    ):
        status, _, tree = client.ask("POST", "/press", body)
        assert status == 400
        assert words in tree["error"]
    assert session.campaign.history().events[-1].kind == "opened"


def test_large_and_foreign_bodies_are_refused(client: Client) -> None:
    assert client.ask("POST", "/press", raw=b"[" * 100_000)[0] == 400
    assert client.ask("POST", "/press", raw=b"[" * 4000)[0] == 400
    assert client.ask("POST", "/press", raw=b"\xff{")[0] == 400
    assert client.ask("POST", "/press", raw=b"{}", Content_Type="text/plain")[0] == 415
    assert client.ask("GET", "/press")[0] == 405
    assert client.ask("GET", "/events.jsonl")[0] == 404


def test_changes_are_sent_to_every_screen_at_once(
    session: Session, console: WebConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("real_robot_benchmark.web.server._HEARTBEAT_S", 60)
    lines = [http.client.HTTPConnection("127.0.0.1", Client(console).port, timeout=10) for _ in range(2)]
    answers = []
    for line in lines:
        line.request("GET", "/events")
        answers.append(line.getresponse())
    for answer in answers:
        assert read_event(answer)["view"]["phase"] == "setup"
    session.press("space", by="terminal")
    for answer in answers:
        assert read_event(answer)["view"]["phase"] == "running"
    for line in lines:
        line.close()


def test_every_screen_hears_something_although_nothing_changes(
    console: WebConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("real_robot_benchmark.web.server._HEARTBEAT_S", 0.05)
    line = http.client.HTTPConnection("127.0.0.1", Client(console).port, timeout=10)
    line.request("GET", "/events")
    answer = line.getresponse()
    assert [read_event(answer)["view"]["phase"] for _ in range(3)] == ["setup"] * 3
    line.close()


def test_the_newest_screens_are_served_although_many_lines_broke_unnoticed(
    session: Session, console: WebConsole
) -> None:
    lines = [http.client.HTTPConnection("127.0.0.1", Client(console).port, timeout=10) for _ in range(22)]
    answers = []
    for line in lines:
        line.request("GET", "/events")
        answers.append(line.getresponse())
        assert read_event(answers[-1])["view"]["phase"] == "setup"
    assert answers[0].read() == answers[1].read() == b""
    session.press("space", by="terminal")
    assert read_event(answers[-1])["view"]["phase"] == "running"
    for line in lines:
        line.close()


def test_a_text_with_control_characters_leaves_a_log_that_can_be_shown(session: Session, client: Client) -> None:
    client.press("space")
    status, tree = client.press("n", "a\x1b[2Jb\x00\r\nc \ud800 ما 🦾\u200d")
    assert (status, tree["view"]["notes"]) == (200, ["a[2Jb c  ما 🦾\u200d"])
    status, tree = client.press("n", "\ud800\x07")
    assert (status, tree["error"]) == (409, "the note is empty.")
    assert client.press("v", "x\ud800")[0] == 200
    assert session.state.voided[0].reason == "x"


def read_event(answer: http.client.HTTPResponse) -> dict[str, Any]:
    line = answer.readline()
    assert answer.readline() == b"\n"
    return json.loads(line.removeprefix(b"data: "))


def test_the_server_ends_at_once_although_a_screen_is_open(session: Session) -> None:
    with WebConsole(session, Address(port=0)) as console:
        line = http.client.HTTPConnection("127.0.0.1", Client(console).port, timeout=10)
        line.request("GET", "/events")
        read_event(line.getresponse())
        began = time.monotonic()
    assert time.monotonic() - began < 2
    line.close()
    session.press("space")


# --- keeping others out --------------------------------------------------------------------------------------


def test_other_names_for_this_address_are_refused(client: Client) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "192.168.1.5:8765", ""):
        for method, path in (("GET", "/"), ("GET", "/state"), ("GET", "/events"), ("GET", "/enter")):
            assert client.ask(method, path, Host=host)[0] == 421
        assert client.ask("POST", "/press", {}, Host=host)[0] == 421


def test_pages_from_elsewhere_press_nothing(session: Session, client: Client) -> None:
    campaign = client.state()["campaign"]
    body = {"id": new_id(), "key": "space", "text": "", "seen": session.number, "campaign": campaign}
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        status, headers, _ = client.ask("POST", "/press", body, Origin=origin)
        assert status == 403
        assert not [name for name in headers if name.startswith("access-control")]
        assert client.ask("GET", "/state", Origin=origin)[0] == 403
    assert client.ask("OPTIONS", "/press", Origin="http://evil.example")[0] == 403
    own = f"http://localhost:{client.port}"
    assert client.ask("POST", "/press", body, Origin=own, Host=own.removeprefix("http://"))[0] == 200


def test_the_page_is_in_one_piece_and_its_policy_allows_nothing_else(client: Client) -> None:
    status, headers, page = client.ask("GET", "/")
    assert status == 200
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers


def test_without_the_token_nothing_is_seen_or_pressed(session: Session, guarded: WebConsole) -> None:
    client = Client(guarded)
    for path in ("/", "/state", "/events", "/nothing", f"/state?token={token_of(guarded)}"):
        status, headers, tree = client.ask("GET", path)
        assert (status, set(tree)) == (401, {"error"})
        assert "www-authenticate" in headers
    body = {"id": new_id(), "key": "space", "text": "", "seen": session.number}
    for path in ("/press", "/stop", "/alive"):
        assert client.ask("POST", path, body)[0] == 401
    client.cookie = f"seer_bench_{client.port}={token_of(guarded)}"  # the token is no cookie
    assert client.ask("GET", "/state")[0] == 401
    status, _, page = client.ask("GET", "/enter")
    assert status == 200
    assert token_of(guarded) not in page
    assert not any(word in page for word in ("Trial", session.view().task, "campaign"))
    assert session.campaign.history().events[-1].kind == "opened"


def test_a_device_with_the_token_is_let_in_and_stays_in(
    session: Session, guarded: WebConsole, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = Client(guarded)
    token = token_of(guarded)
    assert len(base64.urlsafe_b64decode(token + "==")) >= 16
    status, headers, _ = client.ask("POST", "/enter", {"token": token})
    assert status == 204
    cookie = headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert token.lower() not in cookie
    client.enter(token)
    assert client.press("space")[0] == 200
    with WebConsole(session, Address(EVERYWHERE, 0)) as other:
        assert token_of(other) != token
        again = Client(other)
        again.cookie = client.cookie.replace(str(client.port), str(again.port))
        assert again.state()["view"]["phase"] == "running"  # known from before
        stranger = Client(other)
        assert stranger.enter(token) == 401  # a link of an earlier start
    assert token not in caplog.text
    secret = client.cookie.partition("=")[2]
    for file in session.campaign.path.rglob("*"):
        if file.is_file():
            assert token.encode() not in file.read_bytes()
            assert secret.encode() not in file.read_bytes()


def test_whoever_guesses_waits(guarded: WebConsole) -> None:
    client, device = Client(guarded), Client(guarded)
    assert device.enter(token_of(guarded)) == 204
    assert [client.enter(f"guess {n}") for n in range(10)] == [401] * 10
    status, headers, _ = client.ask("POST", "/enter", {"token": token_of(guarded)})
    assert (status, headers["retry-after"]) == (429, "60")
    client.cookie = f"seer_bench_{client.port}=guess"
    assert client.ask("GET", "/state")[0] == 429
    assert device.state()["number"] == 1  # who was let in goes on


def test_whoever_opens_lines_and_says_nothing_keeps_nobody_out(
    session: Session, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("real_robot_benchmark.web.line.PATIENCE_S", 0.3)
    monkeypatch.setattr("real_robot_benchmark.web.server.PATIENCE_S", 0.3)
    head = b"POST /enter HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    upgrade = b"GET /events HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    with WebConsole(session, Address(EVERYWHERE, 0)) as console:
        client = Client(console)
        client.enter(token_of(console))

        def line(words: bytes) -> socket.socket:
            opened = socket.create_connection(("127.0.0.1", client.port), timeout=10)
            opened.sendall(words)
            return opened

        body = line(head + b"{")
        assert body.recv(100).startswith(b"HTTP/1.1 400")
        line(head + b"{").close()
        body.close()
        many = [line(b"GET / HTTP/1.1\r\nHo") for _ in range(300)]
        for opened in many:
            with contextlib.suppress(ConnectionError):
                assert opened.recv(100) == b""
            opened.close()
        assert client.press("space")[0] == 200
        refused = line(upgrade)
        assert refused.recv(100).startswith(b"HTTP/1.1 401")
        refused.close()
    assert "".join(capfd.readouterr()) == ""  # strangers write nothing into the operator's terminal


def test_names_of_a_page_open_to_the_network(guarded: WebConsole) -> None:
    client = Client(guarded)
    client.enter(token_of(guarded))
    for host in ("192.168.1.5:8765", "[fe80::1]:8765", socket.gethostname(), "localhost:1"):
        assert client.ask("GET", "/state", Host=host)[0] == 200
    for host in ("evil.example", "192.168.1.5.evil.example", "x" * 300):
        assert client.ask("GET", "/state", Host=host)[0] == 421


def test_a_damaged_list_of_devices_lets_nobody_in(session: Session) -> None:
    for text in ("{", "[]", '{"sha256 of cookies": 7}', '{"sha256 of cookies": [7, ""]}'):
        (session.campaign.path / "web-devices.json").write_text(text)
        with WebConsole(session, Address(EVERYWHERE, 0)) as console:
            client = Client(console)
            client.cookie = f"seer_bench_{client.port}="
            assert client.ask("GET", "/state")[0] == 401
            assert client.enter(token_of(console)) == 204


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        *(("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.8.8.8", True)),
        *((EVERYWHERE, False), ("::", False), ("192.168.1.5", False), ("robot.local", False), ("", False)),
    ],
)
def test_only_the_loopback_address_needs_no_token(host: str, loopback: bool) -> None:
    assert Address(host).loopback is loopback


def test_a_blind_campaign_tells_a_page_nothing(tmp_path: Path, task_file: Path) -> None:
    checkpoint = tmp_path / "secret_weights.pth"
    checkpoint.write_bytes(b"weights of some network")
    arms = [make_arm("seer/twenty-demos", str(checkpoint)), make_arm("mvp")]
    campaign = Campaign.create(tmp_path / "c", task_file, arms, Choices(1, "best_of"), blind=True)
    told = []
    with Session.open(campaign.path, console="web") as session:
        session.policy_key()
        with WebConsole(session, Address(port=0)) as console:
            client = Client(console)
            told += [client.ask("GET", "/")[2], client.ask("GET", "/enter")[2]]
            for key in ("space", "1", "f", "enter", "space", "s"):
                told.append(json.dumps(client.press(key)[1]))
            told.append(json.dumps(client.press("1")[1]))
            told += [str(client.ask("GET", "/state")[1]), json.dumps(client.state())]
            line = http.client.HTTPConnection("127.0.0.1", client.port, timeout=10)
            line.request("GET", "/events")
            told.append(json.dumps(read_event(line.getresponse())))
            line.close()
    words = [
        "seer/",
        '"seer',
        "twenty",
        "mvp",
        "secret_weights",
        hashlib.sha256(b"weights of some network").hexdigest(),
    ]
    assert '"policy": "A"' in told[-1] or '"policy": "B"' in told[-1]
    for text in told:
        assert not [word for word in words if word in text]


# --- the robot -----------------------------------------------------------------------------------------------


def test_stop_goes_to_the_robot_whatever_was_seen(session: Session) -> None:
    stops: list[str] = []
    alive: list[str] = []
    with WebConsole(session, Address(port=0), on_stop=stops.append, on_alive=alive.append) as console:
        client = Client(console)
        assert (client.state()["robot"], client.state()["watched"]) == (True, True)
        assert client.ask("POST", "/stop", {})[0] == 204
        assert client.ask("POST", "/alive", {})[0] == 204
    assert (stops, alive) == (["web"], ["web"])


def test_without_a_robot_there_is_nothing_to_stop(client: Client) -> None:
    assert client.state()["robot"] is False
    assert client.ask("POST", "/stop", {})[0] == 404


# --- the command ---------------------------------------------------------------------------------------------


def test_a_port_that_is_taken(session: Session, client: Client) -> None:
    with pytest.raises(UsageError, match=r"--port PORT"), WebConsole(session, Address(port=client.port)):
        pass
    with pytest.raises(UsageError, match="port 70000"):
        Address(port=70000)


def test_what_the_command_refuses(session: Session) -> None:
    path = str(session.campaign.path)
    for options, words in (
        (["--no-terminal"], "add --web"),
        (["--host", EVERYWHERE], "add --web"),
        (["--port", "9"], "add --web"),
    ):
        result = CliRunner().invoke(app, ["run", path, *options], env={"COLUMNS": "200"})
        assert result.exit_code == 2
        assert words in result.output
    result = CliRunner().invoke(app, ["run", path])
    assert isinstance(result.exception, UsageError)
    assert "--web --no-terminal" in str(result.exception)


def test_the_page_alone(planned: Callable[..., Campaign]) -> None:
    campaign = planned("alone")
    command = [sys.executable, "-m", "seer_bench", "real", "run", str(campaign.path), "--web", "--no-terminal"]
    process = subprocess.Popen(
        [*command, "--port", "0", "--operator", "Ann"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    port = int(re.findall(r":(\d+)/", process.stdout.readline())[0])
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    line.request("GET", "/state")
    assert json.loads(line.getresponse().read())["view"]["headline"] == "Trial 1 of 20"
    line.close()
    process.send_signal(signal.SIGTERM)
    _, complaints = process.communicate(timeout=20)
    assert (process.returncode, complaints) == (130, "")
    first, last = campaign.history().events
    assert (first.data["operator"], first.data["console"], last.kind) == ("Ann", "web", "closed")
