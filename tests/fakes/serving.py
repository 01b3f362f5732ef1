"""A policy whose answers tell its whole history, a server around it, and a wire that can be cut."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import numpy as np

from seer_bench import Policy, PolicyError, PolicySpec, Unit
from seer_bench.serving.host import PolicyHost
from seer_bench.serving.metadata import ServedPolicy, metadata_of
from seer_bench.serving.server import PolicyServer, listen
from tests.fakes.tally_plugins import ACTION, FIELDS


class Historian(Policy):
    """Answers [sum of what the slot was shown since its subtask began, steps since then + seed]."""

    def __init__(self, batch: int = 1) -> None:
        self.spec = PolicySpec(FIELDS, ACTION, batch=batch, settings={"weights": "some"}, arm={"method": "History"})
        self.shown: dict[int, list[float]] = {}
        self.seeds: dict[int, int] = {}
        self.told: dict[int, tuple[str, str]] = {}
        self.calls: list[tuple[int, ...]] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.closed = False

    def begin(self, slots, units):
        for slot, unit in zip(slots, units, strict=True):
            self.told[slot] = (unit.id, "")

    def reset(self, slots, instructions, seeds):
        for slot, instruction, seed in zip(slots, instructions, seeds, strict=True):
            self.shown[slot], self.seeds[slot] = [], seed
            self.told[slot] = (self.told.get(slot, ("", ""))[0], instruction)

    def act(self, slots, observations):
        self.calls.append(tuple(slots))
        self.go_on.wait(10)
        answers = []
        for row, slot in enumerate(slots):
            total = float(observations["total"][row, 0])
            if total < -100:
                raise PolicyError("totals below -100 are beyond me")
            self.shown[slot].append(total + observations["picture"][row].sum() / 1000)
            answers.append([[sum(self.shown[slot]), len(self.shown[slot]) + self.seeds[slot]]])
        return np.array(answers, np.float32)

    def close(self):
        self.closed = True


def served(policy: Policy, /, **changes: object) -> ServedPolicy:
    facts = {
        "policy": "historian",
        "code": "tests 1",
        "checkpoint": None,
        "benchmark": "tally",
        "protocol": "tally/v1",
        "options": {},
        "threads": 1,
        "instance": "one",
    }
    return ServedPolicy(spec=policy.spec, **(facts | changes))


@contextmanager
def serving(
    policy: Policy, /, *, port: int = 0, token: str | None = None, max_bytes: int = 1 << 20, **facts
) -> Iterator[int]:
    """Serve in a thread; gives the port."""
    server = PolicyServer(PolicyHost(policy), metadata_of(served(policy, **facts)), token=token, max_bytes=max_bytes)
    listener = listen("127.0.0.1", port)
    thread = threading.Thread(target=server.run, args=(listener,))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.stop()
        thread.join(10)
        assert not thread.is_alive()


class Wire:
    """A way to a port that can be cut: for good, or as soon as the next answer comes."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.cut_answers = 0
        """How many pieces that come from the server are swallowed, each with its connection."""
        self.break_after: Callable[[], int] | None = None
        """Gives the bytes, of both directions, after which a connection that is made breaks, in the middle of them."""
        self.connections = 0
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def cut(self) -> None:
        """Break all connections, as when a cable is pulled."""
        for pair in self._pairs:
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        self._pairs.clear()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._listening.join(5)
        self.cut()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self._port))
                except OSError:
                    near.close()
                    continue
                self.connections += 1
                self._pairs.append((near, far))
                left = [self.break_after()] if self.break_after else []
                threading.Thread(target=self._carry, args=(near, far, False, left), daemon=True).start()
                threading.Thread(target=self._carry, args=(far, near, True, left), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, answers: bool, left: list[int]) -> None:
        with suppress(OSError):
            while piece := source.recv(1 << 16):
                if left and len(piece) >= left[0]:
                    sink.sendall(piece[: left[0]])
                    source.shutdown(socket.SHUT_RDWR)
                    break
                if left:
                    left[0] -= len(piece)
                if answers and self.cut_answers:
                    self.cut_answers -= 1
                    self.cut()
                    return
                sink.sendall(piece)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


def observation(total: float, rows: int = 1) -> dict[str, np.ndarray]:
    return {"total": np.full((rows, 1), float(total)), "picture": np.zeros((rows, 4, 6, 3), np.uint8)}


def unit(index: int = 0) -> Unit:
    return Unit(f"tally/v1:unit={index}", index)
