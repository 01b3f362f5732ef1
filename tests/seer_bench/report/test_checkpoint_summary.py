from __future__ import annotations

import io

from rich.console import Console

from seer_bench.report import print_checkpoints


def printed(paths):
    stream = io.StringIO()
    print_checkpoints(paths, Console(file=stream, width=80))
    return stream.getvalue()


def test_several_checkpoints_make_the_row_that_the_table_shows(fake, write_run):
    paths = [
        write_run(
            f"c{i}",
            [fake.chain(chain, solved) for chain in range(10)],
            fake.make_manifest(checkpoint=(f"{i}.pth", f"{i:02}" * 32)),
        )
        for i, solved in enumerate((1, 4, 2, 3))
    ]
    text = printed([*paths, paths[0].parent / "never_made"])
    assert "seer · best 3 of 4 on calvin-abc-d/v1" in text
    lines = {line.split("  ")[0]: line.split() for line in text.splitlines() if line.startswith(("seer · ", "Mean"))}
    assert lines["seer · 0.pth"][-1] == "no"
    assert lines["seer · 1.pth"][-1] == "yes"
    assert "3.00" in lines["Mean of the best 3"]
    assert "2.50" in lines["Mean of all 4"]


def test_a_single_checkpoint_is_one_line(fake, write_run):
    text = printed([write_run("a", [fake.chain(i, 2) for i in range(10)])])
    assert text == "seer · epoch_19.pth on calvin-abc-d/v1: Avg. Len. 2.00 (2.00–2.00)\n"
