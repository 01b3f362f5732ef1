"""`python -m seer_bench` is `seer-bench`."""

from seer_bench.cli import main

main()
