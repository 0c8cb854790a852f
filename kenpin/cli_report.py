"""`kenpin report`: one inspection or one lot as a file for customers and auditors."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kenpin.cli_shared import console, console_actor, installation
from kenpin.contracts.errors import BadInput

if TYPE_CHECKING:
    from kenpin.reports import Kind

KINDS: dict[str, "Kind"] = {".html": "html", ".htm": "html", ".pdf": "pdf", ".csv": "csv"}


def report(
    out: Annotated[Path, typer.Option("--out", help="File to write: .html, .pdf or .csv.")],
    inspection: Annotated[str | None, typer.Argument(metavar="[ID]", help="Id of an inspection.")] = None,
    lot: Annotated[str | None, typer.Option("--lot", help="All inspections of a lot, instead of one.")] = None,
    product: Annotated[str | None, typer.Option("--product", help="With --lot: of this product only.")] = None,
    eightd: Annotated[bool, typer.Option("--8d", help="An 8D starting sheet for an ng.")] = False,
    lang: Annotated[Literal["auto", "en", "ja"], typer.Option("--lang", help="Language of the report.")] = "auto",
) -> None:
    """Write the report of an inspection or a lot: HTML, PDF, or CSV with one row an inspection."""
    from kenpin.reports import write_file
    from kenpin.reports.making import eightd_sheet, inspection_report, lot_report

    kind = _kind(out, eightd=eightd)
    if (inspection is None) == (lot is None):
        raise BadInput("name one inspection by its id, or a lot with --lot, and not both")
    if product is not None and lot is None:
        raise BadInput("--product narrows a lot; give --lot too, or leave it out")
    if eightd and lot is not None:
        raise BadInput("an 8D sheet is made for one ng; give its id instead of --lot")
    kenpin, actor = installation(), console_actor()
    if lot is not None:
        data = lot_report(kenpin, actor, lot, product=product, kind=kind, lang=lang)
    else:
        assert inspection is not None
        if eightd:
            assert kind != "csv"
            data = eightd_sheet(kenpin, actor, inspection, kind=kind, lang=lang)
        else:
            data = inspection_report(kenpin, actor, inspection, kind=kind, lang=lang)
    write_file(out, data)
    console(err=True).print(f"report: {out}", markup=False, soft_wrap=True)


def _kind(out: Path, *, eightd: bool) -> "Kind":
    kind = KINDS.get(out.suffix.lower())
    if kind is None or (eightd and kind == "csv"):
        expected = ".html or .pdf" if eightd else ".html, .pdf or .csv"
        raise BadInput(f"{out.name}: expected a file name that ends with {expected}")
    return kind
