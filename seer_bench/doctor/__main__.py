"""The checks of one benchmark with all that they print: `python -m seer_bench.doctor NAME`."""

from __future__ import annotations

import sys

from seer_bench.doctor.child import tell

tell(sys.argv[1])
