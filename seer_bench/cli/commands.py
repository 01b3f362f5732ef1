"""Commands that plugins add: `seer-bench NAME ...` for every entry point of the group `seer_bench.commands`.

An entry point names a `typer.Typer`. It is imported when its command is called or help is asked for, and one that
cannot be imported breaks no other command.
"""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from seer_bench.errors import SeerBenchError, UsageError


class CommandsAndPlugins(TyperGroup):
    """The commands of seer-bench, then those of plugins; a plugin cannot take the place of one of ours."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of all commands."""
        from seer_bench.registry import COMMANDS, plugins

        ours = super().list_commands(ctx)
        return [*ours, *sorted(set(plugins(COMMANDS)) - set(ours))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command called `cmd_name`; None where there is none."""
        from seer_bench.registry import COMMANDS, plugins

        ours = super().get_command(ctx, cmd_name)
        if ours is not None or cmd_name not in plugins(COMMANDS):
            return ours
        try:
            return _load(cmd_name)
        except SeerBenchError as error:
            return _broken(cmd_name, error)


def _load(name: str) -> Any:
    """The commands of a plugin."""
    from seer_bench.registry import load_commands

    found = load_commands(name)
    if not isinstance(found, typer.Typer):
        raise UsageError(f"the command '{name}' is {type(found).__name__}, not a typer.Typer; its plugin is faulty.")
    command = get_command(found)
    command.name = name
    return command


def _broken(name: str, error: SeerBenchError) -> Any:
    """A command that says why its plugin cannot be used."""
    app = typer.Typer(add_completion=False)

    @app.command(
        name,
        help=f"Cannot be used: {error}",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def fail() -> None:
        raise error

    return get_command(app)
