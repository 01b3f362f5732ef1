"""OpenVLA's deployment server over HTTP (source: github.com/openvla/openvla @ c8f03f4, `vla-scripts/deploy.py`).

POST /act takes a JSON object {image, instruction, unnorm_key} and answers an action of 7 numbers. Arrays travel as
{__numpy__: base64 of the bytes, dtype, shape}, which is how the package json-numpy writes them. A request that fails is
answered with the text "error" and status 200; the traceback is in the server's log.
"""

from __future__ import annotations

import base64
import json
import time
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import numpy as np
from numpy.typing import NDArray

from seer_bench import InvalidActionError, SimulationError

DIM = 7
"""Numbers of an action: translation, rotation, gripper."""
MAX_BYTES = 2**20
"""Longest answer that is read; one is some hundred bytes."""
MAX_SAID = 500
"""Bytes of an HTTP error's text that a message shows."""
FIRST_PAUSE = 0.25
"""Seconds between the first two attempts to connect; doubled each time, up to `LONGEST_PAUSE`."""
LONGEST_PAUSE = 2.0


class RefusalError(SimulationError):
    """A server answers, but with an error or something that no deployment server says."""


class OpenVlaClient:
    """Asks a server for actions. It keeps nothing between requests, so that asking again does no harm.

    Args:
        url: of the server, e.g. "http://127.0.0.1:8000".
        timeout: seconds to wait for an answer.
        wait: seconds for which connecting is tried.
    """

    def __init__(self, url: str, *, timeout: float, wait: float) -> None:
        self._url = f"{url.rstrip('/')}/act"
        self._timeout, self._wait = timeout, wait
        self._opener = build_opener(ProxyHandler({}))

    def act(self, image: NDArray[np.uint8], instruction: str, unnorm_key: str) -> NDArray[np.float64]:
        """The action (7,) as the network means it: 1 opens the gripper, 0 closes it.

        Args:
            image: (224, 224, 3), prepared.
            instruction: the sentence; the server makes the prompt.
            unnorm_key: name of the data set whose statistics undo the normalization of actions.

        Raises:
            InvalidActionError: the action is misshapen.
            RefusalError: the server reports an error, or is none of OpenVLA's.
            SimulationError: it cannot be reached, or does not answer in time.
        """
        body = json.dumps({"image": _to_json(image), "instruction": instruction, "unnorm_key": unnorm_key}).encode()
        answer = self._post(body)
        if answer == "error":
            raise RefusalError(f"{self._url} reports an error; the server's log has the traceback.")
        return _to_action(answer, self._url)

    def _post(self, body: bytes) -> Any:
        """Send a request and read the JSON that comes back."""
        request = Request(self._url, body, {"Content-Type": "application/json"})  # noqa: S310 - http(s) by the options
        deadline, pause = time.monotonic() + self._wait, FIRST_PAUSE
        while True:
            try:
                with self._opener.open(request, timeout=self._timeout) as response:
                    text = response.read(MAX_BYTES + 1)
                break
            except HTTPError as error:
                with error:
                    said = error.read(MAX_SAID).decode(errors="replace").strip()
                    raise RefusalError(f"{self._url} answers with HTTP {error.code} {error.reason}: {said}") from error
            except TimeoutError as error:
                raise SimulationError(
                    f"{self._url} did not answer within {self._timeout:g} s. For a slower machine: "
                    "--policy-arg timeout=SECONDS"
                ) from error
            except (OSError, HTTPException) as error:
                if time.monotonic() + pause > deadline:
                    raise SimulationError(
                        f"no OpenVLA server answers at {self._url} ({error}). Tried for {self._wait:g} s. Start one "
                        "with: python vla-scripts/deploy.py --openvla_path CHECKPOINT"
                    ) from error
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        if len(text) > MAX_BYTES:
            raise RefusalError(f"{self._url} answered with more than {MAX_BYTES} bytes.")
        try:
            return json.loads(text)
        except ValueError as error:
            raise RefusalError(f"{self._url} answered with {len(text)} bytes that are not JSON.") from error


def _to_json(array: NDArray[np.uint8]) -> dict[str, Any]:
    """An array as json-numpy writes it."""
    data = base64.b64encode(array.tobytes()).decode()
    return {"__numpy__": data, "dtype": array.dtype.str, "shape": list(array.shape)}


def _to_action(answer: Any, url: str) -> NDArray[np.float64]:
    """An action (7,) from an array as json-numpy writes it."""
    try:
        dtype = np.dtype(answer["dtype"])
        if dtype.kind != "f":
            raise ValueError(f"dtype {dtype}")
        data = base64.b64decode(answer["__numpy__"], validate=True)
        action = np.frombuffer(data, dtype).reshape(answer["shape"]).astype(np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise RefusalError(f"{url} answered with something else than an array ({error}).") from error
    if action.shape != (DIM,):
        raise InvalidActionError(f"{url} answered with an action of shape {action.shape}; ({DIM},) is needed.")
    return action
