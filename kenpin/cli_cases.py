"""`kenpin cases`: list, search, add, import, export, settle, rebuild."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kenpin.cli_shared import JsonOption, console, console_actor, services

cases_app = typer.Typer(rich_markup_mode=None, help="Past defect cases.")


@cases_app.command("list")
def cases_list(as_json: JsonOption = False) -> None:
    """List every case."""
    _show_cases([(case, None) for case in services().cases.everything(console_actor())], as_json=as_json)


@cases_app.command("search")
def cases_search(
    words: Annotated[str | None, typer.Argument(help="Words to look for.")] = None,
    picture: Annotated[Path | None, typer.Option("--picture", help="A picture to look for.")] = None,
    box: Annotated[str | None, typer.Option(help="The region of the picture to look for: X0,Y0,X1,Y1.")] = None,
    product: str | None = None,
    defect_type: str | None = None,
    disposition: str | None = None,
    k: Annotated[int, typer.Option(min=1, max=50, help="Cases at most.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Search by words, by a picture or a region of it, or by both."""
    from kenpin.contracts.case import CaseQuery
    from kenpin.contracts.view import clip
    from kenpin.session import photo
    from tools.recall import cut_out

    if not words and not picture:
        raise typer.BadParameter("give words or --picture")
    if box and not picture:
        raise typer.BadParameter("--box goes with --picture")
    query = CaseQuery(words=words, product=product, defect_type=defect_type, disposition=disposition, k=k)
    pixels, place = photo(picture).pixels if picture else None, _box(box)
    region = None
    if pixels is not None and place is not None:
        if (inside := clip(place, pixels.shape[1], pixels.shape[0])) is None:
            raise typer.BadParameter(f"box {box} lies outside the picture of {pixels.shape[1]}x{pixels.shape[0]} px")
        region = cut_out(pixels, inside)
    hits = services().cases.search(console_actor(), query, region=region, picture=pixels if region is None else None)
    _show_cases([(hit.case, hit.likeness) for hit in hits], as_json=as_json)


@cases_app.command("add")
def cases_add(
    place: Annotated[Path, typer.Argument(help="A picture, or a folder as `kenpin cases export` writes it.")],
    box: Annotated[str | None, typer.Option(help="The defect on the picture: X0,Y0,X1,Y1 in pixels.")] = None,
    product: str | None = None,
    defect_type: str | None = None,
    cause: str | None = None,
    disposition: Annotated[str | None, typer.Option(help="What was done: scrap, rework, use as is, ...")] = None,
    note: str = "",
    lot: str | None = None,
    part: Annotated[str | None, typer.Option(help="The part's number; its exposures are shown as one case.")] = None,
    signed_by: str | None = None,
) -> None:
    """Add the cases of a folder, or one picture with --box, --product, --defect-type, --cause and --disposition."""
    told = {"product": product, "defect_type": defect_type, "cause": cause, "disposition": disposition}
    about = {**told, "note": note, "lot": lot, "part": part, "signed_by": signed_by}
    if place.is_dir() or not place.exists():
        if box or any(about.values()):
            raise typer.BadParameter(f"{place} is no picture; --box and what is told about a case go with a picture")
        _add_folder(place)
        return
    if missing := [name for name, value in told.items() if not value]:
        raise typer.BadParameter("a picture needs " + ", ".join(f"--{name.replace('_', '-')}" for name in missing))
    from kenpin.session import photo

    case = services().cases.add(console_actor(), photo(place).pixels, box=_box(box), **about)
    console().print(f"case {case.id} added", markup=False)
    if case.box is None:
        console().print("no --box, so it is found by its whole picture; a box around the defect finds it far better")


def _add_folder(folder: Path) -> None:
    number = services().cases.take_in(console_actor(), folder)
    console().print(f"{number} cases added")


def _box(text: str | None) -> tuple[int, int, int, int] | None:
    if text is None:
        return None
    try:
        x0, y0, x1, y1 = (round(float(number)) for number in text.replace(",", " ").split())
        if x0 >= x1 or y0 >= y1:
            raise ValueError("nothing in it")
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"box {text!r}: expected X0,Y0,X1,Y1 in pixels, X0 < X1 and Y0 < Y1") from None
    return x0, y0, x1, y1


@cases_app.command("import")
def cases_import(
    listed: Annotated[Path, typer.Argument(metavar="LIST.csv", help="A list with headings, English or Japanese.")],
    folder: Annotated[Path, typer.Argument(help="The folder with its pictures.")],
    map_: Annotated[list[str] | None, typer.Option("--map", metavar="COLUMN=FIELD", help="What a column says.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every line and add nothing.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Add the good lines where some are bad.")] = False,
    encoding: Annotated[str | None, typer.Option(help="Of the list, where it is not found out.")] = None,
) -> None:
    """Take in an existing list of cases; nothing is added unless every line is good."""
    from kenpin.contracts.errors import FileRefused

    pairs = [pair.rpartition("=") for pair in map_ or ()]
    if any(not column or not field for column, _, field in pairs):
        raise typer.BadParameter("--map: expected COLUMN=FIELD, such as --map 'Fehlerbild=picture'")
    try:
        data = listed.read_bytes()
    except OSError as exc:
        raise FileRefused(f"{listed}: cannot be read ({exc.strerror or exc})") from None
    desk, actor = services().cases, console_actor()
    plan = desk.plan(actor, data, folder, name=listed.name, encoding=encoding,
                     columns={column: field for column, _, field in pairs})
    for line in _import_notes(plan):
        console(err=True).print(line, markup=False, soft_wrap=True)
    if dry_run:
        console().print(f"{len(plan.cases)} cases would be added, {len(plan.bad)} lines cannot be; nothing was changed")
        return
    console().print(f"{desk.take_in_list(actor, plan, skip_bad=skip_bad)} cases imported, not signed")


def _import_notes(plan: Any) -> list[str]:
    """What somebody has to know about a list before it is taken in, a line each."""
    notes = [f"line {bad.line}: {bad.reason}" for bad in plan.bad]
    notes += [f"line {line} says the case of line {before} again; the later one counts"
              for line, before in plan.replaced]
    if plan.unused:
        notes.append(f"columns that are not used: {', '.join(plan.unused)}")
    if plan.kept_types:
        notes.append(f"types kept in the words of the list: {', '.join(plan.kept_types)}")
    return notes


@cases_app.command("settle")
def cases_settle() -> None:
    """Carry over what signatures and revocations still owe the case base."""
    number = services().cases.settle(console_actor())
    console().print(f"{number} changes carried over")


@cases_app.command("rebuild")
def cases_rebuild() -> None:
    """Describe every case anew, after Kenpin or its embedder has changed."""
    number = services().cases.rebuild(console_actor())
    console().print(f"{number} cases described anew")


@cases_app.command("export")
def cases_export(folder: Path) -> None:
    """Write every case and its picture to a folder."""
    number = services().cases.export(console_actor(), folder)
    console().print(f"{number} cases written to {folder}", markup=False)


def _show_cases(cases: list[tuple[Any, float | None]], *, as_json: bool) -> None:
    if as_json:
        rows = [{**case.model_dump(mode="json"), "likeness": likeness} for case, likeness in cases]
        sys.stdout.write(json.dumps(rows, ensure_ascii=False) + "\n")
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table("id", "product", "type", "cause", "disposition", "likeness")
    for case, likeness in cases:
        table.add_row(
            *(escape(t) for t in (case.id, case.product, case.defect_type, case.cause, case.disposition)),
            "" if likeness is None else f"{likeness:.2f}",
        )
    console().print(table)
