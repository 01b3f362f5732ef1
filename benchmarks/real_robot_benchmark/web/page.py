"""The two pages, each in one piece: nothing else is asked for, from here or elsewhere."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class Pages:
    """What is sent to browsers; it holds nothing of any campaign."""

    console: str
    """The operator's console."""
    enter: str
    """Exchanges the token of a link for a cookie."""
    policy: str
    """Content-Security-Policy that allows the scripts and styles of these pages and nothing else."""


def load_pages() -> Pages:
    """Put the pages together."""
    styles, console, enter = (_text(name) for name in ("page.css", "page.js", "enter.js"))
    sources = [f"script-src {_hash(console)} {_hash(enter)}", f"style-src {_hash(styles)}"]
    sources += ["connect-src 'self'", "img-src data:"]
    sources += ["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]
    return Pages(
        console=_fill(_text("page.html"), styles, console),
        enter=_fill(_text("enter.html"), styles, enter),
        policy="; ".join(["default-src 'none'", *sources]),
    )


def _fill(page: str, styles: str, script: str) -> str:
    """Write styles and script into a page."""
    return page.replace("{{styles}}", styles).replace("{{script}}", script)


def _text(name: str) -> str:
    """A file beside this one."""
    return files("real_robot_benchmark.web").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """How a policy names a script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
