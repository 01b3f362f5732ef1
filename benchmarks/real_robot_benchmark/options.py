"""Options that `real run` and `real drive` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[Path, typer.Argument(help="Folder of the campaign, made by: seer-bench real plan")]
Operator = Annotated[str, typer.Option(help="Who presses the keys; kept in the log.")]
Web = Annotated[bool, typer.Option("--web", help="The console as a page, too.")]
Host = Annotated[str, typer.Option(help="Of the page; 0.0.0.0 opens it to the network, for those who have the link.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Of the page; 0 for any.")]
Terminal = Annotated[
    bool, typer.Option("--terminal/--no-terminal", help="The console in this terminal, or the page alone.")
]
