"""`kenpin users`: accounts. A password is typed or read from stdin, never an argument, which others can see."""

import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from kenpin.cli_shared import JsonOption, console, console_actor, installation
from kenpin.contracts.errors import BadInput

if TYPE_CHECKING:
    from kenpin.contracts.people import Role
    from kenpin.security.accounts import Account, Accounts

users_app = typer.Typer(rich_markup_mode=None, help="Accounts: who may sign in, and as what.")

NameArgument = Annotated[str, typer.Argument(help="Name of the account.")]


class RoleName(StrEnum):
    """The roles of `kenpin.contracts.people`, which is imported by the commands that run: its models take time."""

    OPERATOR = "operator"
    REVIEWER = "reviewer"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"


RolesOption = Annotated[
    list[RoleName] | None, typer.Option("--role", help="May be given several times; none takes every role away.")
]
StdinOption = Annotated[bool, typer.Option("--stdin", help="Read the password from the first line of stdin.")]


@users_app.command("add")
def add(
    name: NameArgument,
    role: RolesOption = None,
    printed: Annotated[str, typer.Option("--printed-name", help="Name as printed in reports.")] = "",
    oidc: Annotated[
        tuple[str, str] | None, typer.Option("--oidc", help="Issuer and subject at a provider, instead of a password.")
    ] = None,
    stdin: StdinOption = False,
) -> None:
    """Make an account."""
    accounts, actor = _accounts(), console_actor()
    password = None if oidc else _password(stdin=stdin)
    made = accounts.add(actor, name, roles=_named(role), printed_name=printed, password=password, oidc=oidc)
    typer.echo(f"{made.name}: {_roles(made)}")
    if not made.roles:
        typer.echo(f"without a role it may do nothing; give it one: kenpin users roles {made.name} --role operator")


@users_app.command("list")
def show(as_json: JsonOption = False) -> None:
    """List every account."""
    found = _accounts().all(console_actor())
    if as_json:
        rows = [{**a.model_dump(mode="json"), "roles": sorted(a.roles)} for a in found]
        sys.stdout.write(json.dumps(rows, ensure_ascii=False) + "\n")
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table("name", "printed name", "roles", "signs in by", "state", "sessions")
    for a in found:
        ways = [way for way, there in (("password", a.has_password), ("provider", a.oidc)) if there]
        table.add_row(a.name, escape(a.printed_name), _roles(a), ", ".join(ways), _state(a), str(a.sessions))
    console().print(table)


@users_app.command("roles")
def roles(name: NameArgument, role: RolesOption = None) -> None:
    """Give an account these roles and no others. It has to sign in again."""
    _accounts().set_roles(console_actor(), name, _named(role))


@users_app.command("password")
def password(name: NameArgument, stdin: StdinOption = False) -> None:
    """Set the password of an account, unlock it and end its sessions."""
    accounts = _accounts()
    accounts.set_password(console_actor(), name, _password(stdin=stdin))


@users_app.command("link")
def link(
    name: NameArgument,
    issuer: Annotated[str, typer.Argument(help="Issuer: the provider's URL, as in its tokens.")],
    subject: Annotated[str, typer.Argument(help="Subject (sub) of the person there.")],
) -> None:
    """Let an account sign in at a provider."""
    _accounts().link(console_actor(), name, (issuer, subject))


@users_app.command("disable")
def disable(name: NameArgument) -> None:
    """Keep an account from signing in and end its sessions."""
    _accounts().disable(console_actor(), name)


@users_app.command("enable")
def enable(name: NameArgument) -> None:
    """Let a disabled account sign in again."""
    _accounts().enable(console_actor(), name)


@users_app.command("unlock")
def unlock(name: NameArgument) -> None:
    """End a lock-out before its time."""
    _accounts().unlock(console_actor(), name)


def _accounts() -> "Accounts":
    return installation().people.accounts


def _password(*, stdin: bool) -> str:
    """A password from stdin, or typed twice without being shown."""
    if stdin:
        line = sys.stdin.readline().rstrip("\r\n")
        if not line:
            raise BadInput("no password came on stdin; expected it on the first line")
        return line
    if not sys.stdin.isatty():
        raise BadInput("there is no terminal to type a password into; give it on stdin with --stdin")
    typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt="The same again")
    return typed


def _named(names: "list[RoleName] | None") -> "tuple[Role, ...]":
    from kenpin.contracts.people import Role

    return tuple(Role(name.value) for name in names or ())


def _roles(account: "Account") -> str:
    return ", ".join(sorted(account.roles)) or "no role"


def _state(account: "Account") -> str:
    if not account.active:
        return "disabled"
    if account.locked_until:
        return f"locked until {account.locked_until.astimezone():%H:%M}"
    return "active"
