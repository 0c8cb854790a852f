"""`kenpin keys`: the master key that the records are sealed with."""

import json
import sys

import typer

from kenpin.cli_shared import JsonOption, console_actor, installation, services

keys_app = typer.Typer(rich_markup_mode=None, help="The master key that pictures, traces and texts are sealed with.")


@keys_app.command("show")
def show(as_json: JsonOption = False) -> None:
    """Say where the key is, which one it is (never the key itself), and what it has sealed."""
    from kenpin.security.rotation import examine

    kenpin = installation()
    found = examine(kenpin.database, kenpin.key_source)
    if as_json:
        sys.stdout.write(json.dumps(found.__dict__, ensure_ascii=False) + "\n")
        return
    if found.in_force is None:
        typer.echo(f"{found.source}: no record is sealed yet; a key is made for the first one if there is none")
        return
    typer.echo(f"{found.source}: master key {found.in_force}, {found.records} data keys")
    if found.waiting:
        typer.echo(f"{found.waiting} of them still wait for it; kenpin keys rotate goes on with the change of the key")
    elif len(found.keys) > 1:
        typer.echo("nothing needs the key before, which is still at hand; kenpin keys rotate ends the change")


@keys_app.command("new")
def new() -> None:
    """Print a fresh key for KENPIN_MASTER_KEY or KENPIN_NEW_MASTER_KEY. Nothing keeps it but you."""
    from kenpin.security.keyring import new_key

    typer.echo(new_key().text)


@keys_app.command("rotate")
def rotate(as_json: JsonOption = False) -> None:
    """Change the master key and wrap every data key anew. Pictures and records are not rewritten, and work goes on.

    A key file gets a fresh key. A key in KENPIN_MASTER_KEY gives way to the one in KENPIN_NEW_MASTER_KEY.
    """
    bundle = services()
    done = bundle.rotate_keys(console_actor())
    if as_json:
        sys.stdout.write(json.dumps(done.__dict__, ensure_ascii=False) + "\n")
        return
    begun = "went on with an interrupted change: " if done.resumed else ""
    typer.echo(f"{begun}master key {done.old} gave way to {done.new}; {done.wrapped} data keys wrapped anew")
    if bundle.kenpin.key_source.key is not None:
        typer.echo("now put the new key into KENPIN_MASTER_KEY everywhere, and take KENPIN_NEW_MASTER_KEY away")
    typer.echo("backups from before open only with the key that was saved with them")


@keys_app.command("seal")
def seal() -> None:
    """Seal the pictures and the checkpoints that an earlier version of Kenpin left plain."""
    pictures, checkpoints, wrong = services().seal_plain(console_actor())
    typer.echo(f"{pictures} pictures and {checkpoints} checkpoints sealed")
    for line in wrong:
        typer.echo(f"left as it is: {line}")
