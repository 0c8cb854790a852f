"""`kenpin serve`: a vLLM server for this machine, started with what Kenpin needs and ended with it."""

import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kenpin.cli_shared import console

if TYPE_CHECKING:
    from kenpin.serving.command import Plan

PORT, EMBED_PORT = 8000, 8002
"""Of a planner and of an embedding model; 8001 is Chroma's in deploy/."""

DeviceOption = Annotated[Literal["auto", "cpu", "gpu"], typer.Option("--device", help="What it must run on.")]
LoraOption = Annotated[
    list[str] | None, typer.Option("--adapter", help="LoRA adapter, NAME=FOLDER; may be given several times.")
]


def serve(
    model: Annotated[str, typer.Argument(help="Folder of a model, or a name that vLLM can load.")],
    name: Annotated[str | None, typer.Option("--name", help="What the server calls it.")] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on; this machine only unless given.")]
    = "127.0.0.1",
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Default 8000; with --embed 8002.")]
    = None,
    device: DeviceOption = "auto",
    cards: Annotated[int | None, typer.Option("--cards", min=1, help="Cards to spread it over; default all.")] = None,
    context: Annotated[int | None, typer.Option("--context", min=2048, help="Tokens a prompt may hold.")] = None,
    parser: Annotated[str | None, typer.Option("--parser", help="Parser of tool calls; default fits the model.")]
    = None,
    adapter: LoraOption = None,
    adapters_while_running: Annotated[
        bool, typer.Option("--adapters-while-running", help="Take adapters from kenpin adapters load; needs a key.")
    ] = False,
    adapter_room: Annotated[int, typer.Option("--adapter-room", min=1, max=64, help="For so many of them.")] = 4,
    adapter_rank: Annotated[int, typer.Option("--adapter-rank", min=1, max=512, help="Of this rank at most.")] = 64,
    embed: Annotated[bool, typer.Option("--embed", help="An embedding model for past cases, not a planner.")] = False,
    share: Annotated[
        float | None, typer.Option("--share", min=0.05, max=0.95, help="Share of a card's memory; default 0.9.")
    ] = None,
    wait: Annotated[float, typer.Option("--wait", min=1, help="Seconds until it must answer.")] = 900.0,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="Others reach --host only through a proxy that checks them.")
    ] = False,
    show: Annotated[bool, typer.Option("--print", help="Print the command and start nothing.")] = False,
) -> None:
    """Start vLLM with the right flags, wait until it answers, and stop it with Ctrl+C.

    With --embed it serves an embedding model (CLIP, Qwen3-VL-Embedding) for past cases: set KENPIN_EMBED_URL to it.
    """
    from kenpin.config import read_settings
    from kenpin.serving.command import command, shown, variables
    from kenpin.serving.planning import made

    settings = read_settings()
    plan = made(settings, model, name=name, host=host, port=port or (EMBED_PORT if embed else PORT), device=device,
                cards=cards, context=context, parser=parser, adapters=adapter or (), behind_proxy=behind_proxy,
                embed=embed, share=share, while_running=adapters_while_running, room=adapter_room,
                rank=adapter_rank)
    secret = settings.embed_key if embed else settings.vllm_key
    words, given = command(plan), variables(plan, secret.get_secret_value() if secret else None)
    if show:
        sys.stdout.write(shown(words, given) + "\n")
        return
    _run(plan, words, given, settings.home, wait=wait)


def _run(plan: "Plan", words: list[str], given: dict[str, str], home: Path, *, wait: float) -> None:
    """Run the server until it ends or is stopped.

    Raises:
        Unavailable: It ends by itself, or does not get ready.
    """
    from kenpin.contracts.errors import Unavailable
    from kenpin.launch import check_free
    from kenpin.serving.process import TICK, ending, last_lines, own_log, start

    check_free(plan.host, plan.port)
    log, held = own_log(home, "embed" if plan.embed else "vllm", plan.port)
    stops: list[int] = []

    def asked(number: int, frame: FrameType | None) -> None:
        stops.append(number)

    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    reached = "127.0.0.1" if plan.host in ("0.0.0.0", "::") else plan.host  # noqa: S104 - compared, not bound
    server = start(words, given, log=log, url=f"http://{f'[{reached}]' if ':' in reached else reached}:{plan.port}")
    say = console(err=True).print
    try:
        say(f"vLLM {plan.home.version} on {plan.home.device} starts; log: {log}", markup=False, soft_wrap=True)
        if server.wait_healthy(wait, stopped=lambda: bool(stops)):
            say(f"ready: {server.url}/v1  (Ctrl+C ends it)", markup=False, soft_wrap=True)
        while not stops and server.process.poll() is None:
            time.sleep(TICK)
        wanted, code = bool(stops), server.process.poll()
    finally:
        server.stop()
        held.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    if not wanted:
        raise Unavailable(f"the server ended by itself ({ending(code)}); its log {log} ends with: "
                          f"{last_lines(log)}")
    say("stopped", markup=False)
