"""`seer-bench serve`: a policy for programs in other processes and on other machines."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seer_bench.cli.console import stdout
from seer_bench.cli.context import policy_context
from seer_bench.cli.options import Checkpoint, Device, PolicyArg, Protocol, Threads
from seer_bench.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from seer_bench.contracts import Policy, PolicyContext
    from seer_bench.serving.metadata import ServedPolicy


def serve(
    policy: Annotated[str, typer.Option(help="Policy plugin; see: seer-bench list")],
    ckpt: Checkpoint = None,
    benchmark: Annotated[str, typer.Option(help="Benchmark that the policy is to play.")] = "calvin",
    protocol: Protocol = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than this machine's own ask for --token-file.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8000,
    token_file: Annotated[
        Path | None, typer.Option(help="File whose one line clients must show (SEER_BENCH_REMOTE_TOKEN on their side).")
    ] = None,
    open_to_all: Annotated[
        bool, typer.Option("--open-to-all", help="Listen on a foreign address without a token.")
    ] = False,
    max_megabytes: Annotated[int, typer.Option(help="Largest frame that is taken.")] = 64,
    device: Device = "cpu",
    threads: Threads = 1,
    policy_arg: PolicyArg = None,
) -> None:
    """Answer `--policy remote --policy-arg url=...` and any client of openpi's until interrupted.

    One observation a frame, or calls over many slots from seer-bench itself. GET /healthz answers OK.
    """
    token = _token(token_file)
    if not 0 <= port <= 65535:
        raise UsageError(f"--port {port}: ports are 0 to 65535.")
    for option, count in {"--max-megabytes": max_megabytes, "--threads": threads}.items():
        if count < 1:
            raise UsageError(f"{option} {count}: it must be at least 1.")
    if token is None and not open_to_all and not _is_loopback(host):
        raise UsageError(
            f"--host {host}: whoever reaches it could use the policy. Give --token-file FILE, or --open-to-all in a "
            "network where everybody may."
        )
    try:
        from seer_bench.serving.server import MEGABYTE, PolicyServer, listen
    except ModuleNotFoundError as error:
        if error.name != "websockets":
            raise
        raise MissingExtraError("the command 'serve'", "websockets", "remote") from error
    from seer_bench.serving.host import PolicyHost
    from seer_bench.serving.metadata import metadata_of

    context = policy_context(policy, benchmark, protocol, ckpt, device=device, threads=threads, policy_arg=policy_arg)
    try:
        listener = listen(host, port)  # before the policy is loaded, which may take long
    except OSError as error:
        raise UsageError(f"--host {host} --port {port}: cannot listen there: {_reason(error)}.") from error
    console = stdout()
    with listener:
        with console.status("loading the policy"):
            built, served = _load(policy, context)
        try:
            server = PolicyServer(
                PolicyHost(built, threads=threads), metadata_of(served), token=token, max_bytes=max_megabytes * MEGABYTE
            )
        except BaseException:
            built.close()
            raise
        address = f"[{host}]" if ":" in host else host
        said = [
            f"serving {policy} for {served.protocol} at ws://{address}:{listener.getsockname()[1]} "
            f"({'token asked for' if token else 'no token'}, batch {served.spec.batch}, chunk {served.spec.chunk})",
            *built.spec.notes,
        ]
        for line in said:
            console.print(line, markup=False, soft_wrap=True)
        try:
            server.run(listener)
        finally:
            console.print(f"stopped after {server.calls:,} calls of the policy", markup=False)


def _load(policy: str, context: PolicyContext) -> tuple[Policy, ServedPolicy]:
    """The policy, and what clients are told of it."""
    import uuid

    from seer_bench.conventions import check_conventions
    from seer_bench.registry import POLICIES, load_policy, plugins
    from seer_bench.serving.metadata import ServedPolicy
    from seer_bench.store import checkpoint_sha256

    sha256 = checkpoint_sha256(context.checkpoint) if context.checkpoint is not None else None
    built = load_policy(policy, context)
    try:
        check_conventions(built.spec, context.interface)
    except BaseException:
        built.close()
        raise
    plugin = plugins(POLICIES)[policy]
    served = ServedPolicy(
        policy=policy,
        code=f"{plugin.distribution} {plugin.version}",
        checkpoint=sha256,
        benchmark=context.interface.benchmark,
        protocol=context.protocol.name,
        options=context.options,
        threads=context.threads,
        spec=built.spec,
        instance=uuid.uuid4().hex,
    )
    return built, served


def _reason(error: OSError) -> str:
    """Why an address cannot be listened on."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)


def _token(path: Path | None) -> str | None:
    """The token in a file; raises UsageError where it holds none."""
    if path is None:
        return None
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--token-file {path}: cannot be read: {error}.") from error
    if len(token) < 16 or len(token.split()) != 1:
        raise UsageError(
            f"--token-file {path}: write one line of at least 16 characters, e.g. with: openssl rand -hex 32"
        )
    return token


def _is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
