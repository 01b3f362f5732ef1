"""Stands in for a vla-eval model server: its protocol in this process, with answers that a test chooses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from vla_eval_policy.wire import Message, pack, unpack

HELLO = {"protocol_version": 1, "model_server": "Fake", "harness_version": "0.8.0"}
Answer = Callable[[Message], bytes | str | None]


def arithmetic(message: Message) -> bytes:
    """An action of the pictures and the sentence."""
    pictures = message.payload["images"].values()
    numbers = [
        sum(float(picture.mean()) for picture in pictures) / 1000,
        len(message.payload["task_description"]) / 100,
    ]
    return pack(Message("action", {"actions": np.array([*numbers, 0, 0, 0, 0, 1], np.float32)}, message.seq))


@contextmanager
def stand_in(answer: Answer = arithmetic, hello: Mapping[str, object] = HELLO) -> Iterator[tuple[str, list[Message]]]:
    """Answers observations with `answer`, None hangs up; gives the address and what is received."""
    received: list[Message] = []
    connections: list[ServerConnection] = []

    def handle(connection: ServerConnection) -> None:
        connections.append(connection)
        try:
            for data in connection:
                message = unpack(data)
                received.append(message)
                if message.kind == "hello":
                    connection.send(pack(Message("hello", hello, message.seq)))
                elif message.kind == "observation":
                    reply = answer(message)
                    if reply is None:
                        connection.close_socket()
                        return
                    connection.send(reply)
        except ConnectionClosed:
            pass

    with serve(handle, "127.0.0.1", 0, close_timeout=0.1) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}", received
        finally:
            server.shutdown()
            for connection in connections:
                connection.close_socket()
            thread.join()
