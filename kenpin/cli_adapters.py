"""`kenpin adapters`: LoRA adapters of the model server while it runs."""

import sys
from typing import Annotated

import typer

from kenpin.cli_shared import JsonOption, console, console_actor, services
from kenpin.contracts.errors import BadInput

adapters_app = typer.Typer(rich_markup_mode=None, help="LoRA adapters of the model server while it runs.")


@adapters_app.command("list")
def show(as_json: JsonOption = False) -> None:
    """List what the server serves, what was loaded into it, and what could be."""
    found = services().adapters.all(console_actor())
    if as_json:
        sys.stdout.write(found.model_dump_json() + "\n")
        return
    from rich.markup import escape
    from rich.table import Table

    say = console().print
    say(f"{found.url}: {found.model or found.problem}", markup=False)
    table = Table("adapter", "state", "asked by turns", "rank", "sha256", "from", "by", "since")
    states = {"served": "served", "lost": "not on the server", "other": "not loaded here"}
    for row in found.adapters:
        asked = row.name == found.fixed if found.fixed else row.in_use
        table.add_row(escape(row.name), states[row.state], "yes" if asked else "", str(row.rank or ""),
                      (row.sha256 or "")[:12], escape(row.folder), escape(row.by or ""), (row.at or "")[:19])
    say(table)
    if found.fixed:
        say(f"KENPIN_VLLM_MODEL={found.fixed} is asked, whatever is in use here", markup=False)
    say(f"{found.folder} offers: {', '.join(found.offered) or 'nothing'}", markup=False)


@adapters_app.command("load")
def load(
    name: Annotated[str, typer.Argument(help="What the server is to call it.")],
    folder: Annotated[
        str | None, typer.Option("--folder", help="Its folder in the folder of adapters; default: its name.")
    ] = None,
) -> None:
    """Load an adapter into the running server. It is asked once it is put in use."""
    kept = services().adapters.load(console_actor(), name, folder=folder)
    typer.echo(f"{kept.name}: loaded, rank {kept.rank}, sha256 {kept.sha256}")


@adapters_app.command("unload")
def unload(name: Annotated[str, typer.Argument(help="As listed.")]) -> None:
    """Unload an adapter that is not in use."""
    typer.echo(f"{services().adapters.unload(console_actor(), name).name}: unloaded")


@adapters_app.command("use")
def use(
    name: Annotated[str | None, typer.Argument(help="As listed.")] = None,
    base: Annotated[bool, typer.Option("--base", help="The model itself, without an adapter.")] = False,
) -> None:
    """Have turns that begin from now on ask an adapter, or the model itself."""
    if (name is None) == (not base):
        raise BadInput("name an adapter, or say --base for the model itself")
    service, actor = services().adapters, console_actor()
    kept = service.use(actor, name)
    typer.echo(f"{kept.name}: in use, sha256 {kept.sha256}" if kept else "the model itself: in use")
    if fixed := service.all(actor).fixed:
        typer.echo(f"KENPIN_VLLM_MODEL={fixed} is set and is asked instead")
