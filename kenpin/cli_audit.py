"""`kenpin audit`: the log of who did what, and whether it is whole."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kenpin.cli_shared import JsonOption, console, console_actor, installation
from kenpin.contracts.errors import FileRefused

if TYPE_CHECKING:
    from kenpin.contracts.audit import AuditEvent, AuditHead
    from kenpin.security.audit_desk import AuditDesk

audit_app = typer.Typer(rich_markup_mode=None, help="The log of who did what to what, and whether it is whole.")


@audit_app.command("verify")
def verify(
    head: Annotated[
        Path | None, typer.Option("--head", help="A head that was exported earlier; shows a cut or rewritten log.")
    ] = None,
    records: Annotated[
        bool, typer.Option("--records", help="Hold every review, signature, signed trace and picture to it as well.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Walk the chain from its beginning. Exit 1 if a link is broken, and name the first one."""
    found = _desk().verify(console_actor(), _read(head) if head else None)
    broken = list(found.broken)
    if records:
        broken += installation().verifier.broken()
    if as_json:
        newest = found.head.model_dump() if found.head else None
        sys.stdout.write(json.dumps({"events": found.events, "head": newest, "broken": broken}, ensure_ascii=False))
        sys.stdout.write("\n")
    elif not broken:
        kept = " and still hold the exported head" if head else ""
        also = "; every record is as it was written and signed" if records else ""
        typer.echo(f"{found.events} events, each chained to the one before{kept}{also}")
        typer.echo(_line(found.head))
    for line in () if as_json else broken:
        typer.echo(f"broken: {_visible(line)}", err=True)
    if broken:
        raise typer.Exit(1)


@audit_app.command("head")
def head(
    file: Annotated[Path | None, typer.Argument(help="Where to write it; stdout if none is given.")] = None,
) -> None:
    """Export the last event's number and hash. Keep it elsewhere: `verify --head` holds the log to it later."""
    newest = _desk().head(console_actor())
    if newest is None:
        raise FileRefused("the audit log is empty; there is nothing to export yet")
    text = newest.model_dump_json() + "\n"
    if file is None:
        sys.stdout.write(text)
        return
    try:
        file.write_text(text, encoding="ascii")
    except OSError as exc:
        raise FileRefused(f"{file}: cannot be written ({exc.strerror or exc})") from None
    typer.echo(f"{file}: {_line(newest)}")


@audit_app.command("list")
def show(
    subject: Annotated[str | None, typer.Option(help="What it was done to: inspection:ID, user:NAME, ...")] = None,
    actor: Annotated[str | None, typer.Option(help="Who did it.")] = None,
    action: Annotated[str | None, typer.Option(help="What was done: record.signed, review.ruled, ...")] = None,
    before: Annotated[int | None, typer.Option(help="Only events before this number.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Events at most, the newest first.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List events, the newest first."""
    events = _desk().events(console_actor(), subject=subject, by=actor, action=action, before=before, limit=limit)
    if as_json:
        rows = [event.model_dump(mode="json") for event in events]
        sys.stdout.write(json.dumps(rows, ensure_ascii=False) + "\n")
        return
    _table(events)


def _table(events: "list[AuditEvent]") -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("no", "at (UTC)", "who", "did", "to", "detail")
    for event in events:
        detail = json.dumps(event.detail, ensure_ascii=False) if event.detail else ""
        shown = (str(event.seq), event.at[:19], event.actor, event.action, event.subject, detail)
        table.add_row(*(escape(_visible(text)) for text in shown))
    console().print(table)


def _visible(text: str) -> str:
    """Text without what would move or colour the terminal: whoever tampers with a row chooses its words."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def _desk() -> "AuditDesk":
    from kenpin.security.audit_desk import AuditDesk

    kenpin = installation()
    return AuditDesk(kenpin.people, kenpin.audit)


def _read(file: Path) -> "AuditHead":
    from kenpin.security.audit_desk import MOST_HEAD, read_head

    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_HEAD + 1)
    except OSError as exc:
        raise FileRefused(f"{file}: cannot be read ({exc.strerror or exc})") from None
    try:
        return read_head(data)
    except FileRefused as exc:
        raise FileRefused(f"{file}: {exc}") from None


def _line(newest: "AuditHead | None") -> str:
    return f"head: event {newest.seq} of {newest.at}, {newest.sha256}" if newest else "the log is empty"
