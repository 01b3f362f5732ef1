"""Stands in for OpenVLA's deployment server: its HTTP interface over a model that is arithmetic.

As `vla-scripts/deploy.py` with FastAPI: POST /act alone, arrays as json-numpy writes them, "error" with status 200 for
whatever fails in the handler, a status of 422 for a body that is no JSON object.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np


class StandIn(ThreadingHTTPServer):
    """What it was asked is kept in `requests`; `answers` may hold replies to give instead, None hangs up."""

    norm_stats = ("libero_10_no_noops",)

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[dict] = []
        self.answers: list[tuple[bytes, int] | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def predict(self, payload: dict) -> object:
        """The mean of each colour, the length of the prompt, and a gripper that opens on dark pictures."""
        image, instruction = payload["image"], payload["instruction"]
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert payload.get("unnorm_key") in self.norm_stats
        prompt = f"In: What action should the robot take to {instruction.lower()}?\nOut:"
        colours = image.mean(axis=(0, 1)) / 255
        return np.concatenate([colours, [len(prompt) / 100, 0.0, 0.1], [0.996 if colours.mean() < 0.4 else 0.0]])


class _Handler(BaseHTTPRequestHandler):
    server: StandIn

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/act":
            self.reply(b'{"detail":"Not Found"}', 404)
            return
        if self.server.answers:
            if answer := self.server.answers.pop(0):
                self.reply(*answer)
            return
        try:
            payload = json.loads(text, object_hook=_array)
        except ValueError:
            self.reply(b'{"detail":[]}', 422)
            return
        self.server.requests.append(payload)
        try:
            answer = json.dumps(self.server.predict(payload), default=_tree)
        except Exception:
            answer = '"error"'
        self.reply(answer.encode())

    def reply(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def _array(tree: dict) -> object:
    if "__numpy__" not in tree:
        return tree
    return np.frombuffer(base64.b64decode(tree["__numpy__"]), np.dtype(tree["dtype"])).reshape(tree["shape"])


def _tree(array: np.ndarray) -> dict:
    data = base64.b64encode(array.tobytes()).decode()
    return {"__numpy__": data, "dtype": array.dtype.str, "shape": list(array.shape)}


@contextmanager
def stand_in() -> Iterator[StandIn]:
    server = StandIn()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
