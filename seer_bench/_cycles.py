"""Reading a great many records without Python's search for reference cycles."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def no_search_for_cycles() -> Iterator[None]:
    """Pause the cyclic garbage collector, where it is on; what no cycle holds is freed as ever.

    Records hold no cycles. Python would search all that were read so far each time their number grew by a quarter,
    which takes about a third of the time of reading them.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
