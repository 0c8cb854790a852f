"""`kenpin retention`: what is kept for how long, and deleting what is older."""

import json
import sys
from typing import Annotated

import typer

from kenpin.cli_shared import JsonOption, console, console_actor, services

retention_app = typer.Typer(rich_markup_mode=None, help="How long inspections are kept, and deleting by that rule.")

ProductOption = Annotated[str, typer.Option("--product", help="Its name; left out, the rule of all other products.")]
Days = Annotated[int | None, typer.Option(min=0, help="Days; 0 keeps for ever.")]


@retention_app.command("show")
def show(as_json: JsonOption = False) -> None:
    """Show the rules, and what is due by them now."""
    kenpin, actor = services(), console_actor()
    rules, due = kenpin.retention.rules(actor), kenpin.retention.due(actor)
    if as_json:
        told = {"rules": [rule.model_dump(mode="json") for rule in rules],
                "due": [one.model_dump(mode="json") for one in due]}  # fmt: skip
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table("product", "kept", "signed kept", "due now")
    for rule in rules:
        number = sum(one.of == rule.product for one in due)
        kept = [f"{days} days" if days else "for ever" for days in (rule.keep_days, rule.keep_signed_days)]
        table.add_row(escape(rule.product or "all others"), *kept, str(number))
    console().print(table if rules else "there is no rule: everything is kept; see kenpin retention set")


@retention_app.command("set")
def set_rule(product: ProductOption = "", days: Days = None, signed_days: Days = None) -> None:
    """Set how many days inspections of a product are kept; what is not given stays as it is."""
    kenpin, actor = services(), console_actor()
    given = {"keep_days": days, "keep_signed_days": signed_days}
    changed = {name: value or None for name, value in given.items() if value is not None}
    if not changed:
        raise typer.BadParameter("give --days, --signed-days or both")
    rules = kenpin.reviews.rules(actor, product or None).model_copy(update={"product": product, **changed})
    kenpin.reviews.set_rules(actor, rules)
    console().print(f"{product or 'all other products'}: set", markup=False)


@retention_app.command("apply")
def apply(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be deleted, and delete nothing.")] = False,
    keep_cases: Annotated[
        bool, typer.Option("--keep-cases", help="Past cases from deleted inspections stay; otherwise they go too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete every inspection that is older than its product's rule. What the audit log says of it stays."""
    kenpin, actor = services(), console_actor()
    if dry_run:
        due = kenpin.retention.due(actor)
        if as_json:
            sys.stdout.write(json.dumps({"due": [one.model_dump(mode="json") for one in due]}) + "\n")
            return
        for one in due:
            console().print(f"{one.id}: {one.state}, since {one.since:%Y-%m-%d}, kept {one.days} days", markup=False)
        console().print(f"{len(due)} would be deleted")
        return
    done = kenpin.retention.apply(actor, cases="keep" if keep_cases else "withdraw")
    if as_json:
        sys.stdout.write(done.model_dump_json() + "\n")
        raise typer.Exit(1 if done.blocked or done.unreadable else 0)
    out = console()
    out.print(f"{len(done.deleted)} inspections and {done.pictures} pictures deleted; {done.shared} pictures stay, "
              "since something else names them")  # fmt: skip
    for names, why in ((done.busy, "in use, left for the next run"), (done.unreadable, "cannot be read, left as it is"),
                       (done.pending, "deleted; pictures stored within the hour go with the next run")):  # fmt: skip
        for name in names:
            out.print(f"{name}: {why}", markup=False)
    if done.blocked:
        out.print(f"no picture was deleted: {done.blocked}", markup=False)
    if done.blocked or done.unreadable:
        raise typer.Exit(1)
