"""`kenpin products`: register what good parts of a product look like."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from kenpin.cli_shared import JsonOption, console, console_actor, services
from kenpin.contracts.errors import BadInput

products_app = typer.Typer(rich_markup_mode=None, help="Registered products: good samples, golden samples, limits.")


@products_app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Name of the product; an existing one is added to.")],
    good: Annotated[Path | None, typer.Option("--good", help="Folder of 1 to 50 good samples.")] = None,
    reference: Annotated[
        list[Path] | None, typer.Option("--reference", help="Golden sample; may be given several times.")
    ] = None,
    criteria: Annotated[Path | None, typer.Option("--criteria", help="Criteria file (YAML).")] = None,
) -> None:
    """Register a product, or add samples to one."""
    from kenpin.criteria import read_criteria
    from kenpin.security.uploads import read_upload
    from kenpin.session import good_uploads

    product = services().products.add(
        console_actor(),
        name,
        good=good_uploads(good) if good else (),
        references=[read_upload(path) for path in reference or ()],
        criteria=read_criteria(criteria) if criteria else None,
    )
    limits = f", limits of {product.criteria.source}" if product.criteria else ""
    typer.echo(f"{product.name}: {len(product.good)} good samples, {len(product.references)} golden samples{limits}")


@products_app.command("list")
def show(as_json: JsonOption = False) -> None:
    """List every product."""
    products = services().products.all(console_actor())
    if as_json:
        rows = [product.model_dump(mode="json") for product in products]
        sys.stdout.write(json.dumps(rows, ensure_ascii=False) + "\n")
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table("product", "good samples", "golden samples", "limits", "changed")
    for p in products:
        limits = f"{p.criteria.source}, {p.criteria.revision or '–'}" if p.criteria else ""
        table.add_row(escape(p.name), str(len(p.good)), str(len(p.references)), escape(limits), p.updated)
    console().print(table)


@products_app.command("remove")
def remove(
    name: str,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this nothing is removed.")] = False,
) -> None:
    """Withdraw a product. Pictures stay in the store, since traces may need them."""
    products, actor = services().products, console_actor()
    if not yes:
        product = products.get(actor, name)
        raise BadInput(f"{product.name!r} with {len(product.good)} good samples would be removed; say so with --yes")
    typer.echo(f"{products.remove(actor, name).name}: removed")
