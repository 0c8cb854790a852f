"""The command line: one function a command. Heavy parts are imported by the command that needs them."""

import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kenpin.cli_adapters import adapters_app
from kenpin.cli_audit import audit_app
from kenpin.cli_camera import camera_app
from kenpin.cli_cases import cases_app
from kenpin.cli_keys import keys_app
from kenpin.cli_products import products_app
from kenpin.cli_replay import replay, rerun
from kenpin.cli_report import report as write_a_report
from kenpin.cli_retention import retention_app
from kenpin.cli_serve import serve
from kenpin.cli_shared import JsonOption, console, console_actor, installation, services
from kenpin.cli_tune import tune_app
from kenpin.cli_users import users_app
from kenpin.contracts.errors import KenpinError

if TYPE_CHECKING:
    from kenpin.contracts.trace import Answer

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,  # plain help: loading Rich for it would double the time that `kenpin --help` takes
    pretty_exceptions_enable=False,
    help="Kenpin (検品): ask about a picture of a part; get an answer with every step and its evidence.",
)
for name, group in {
    "cases": cases_app, "products": products_app, "camera": camera_app, "keys": keys_app, "users": users_app,
    "retention": retention_app, "audit": audit_app, "tune": tune_app, "adapters": adapters_app,
}.items():  # fmt: skip
    app.add_typer(group, name=name)
app.command("report")(write_a_report)
app.command("replay")(replay)
app.command("rerun")(rerun)
app.command("serve")(serve)

PlannerOption = Annotated[str | None, typer.Option("--planner", help="embedded, vllm or local; default by settings.")]
LangOption = Annotated[Literal["auto", "en", "ja"], typer.Option("--lang", help="Language of the answer.")]
ReferenceOption = Annotated[
    list[Path] | None, typer.Option("--reference", help="Golden sample; may be given several times.")
]
GoodOption = Annotated[Path | None, typer.Option("--good", help="Folder of a few good samples.")]
ScaleOption = Annotated[float | None, typer.Option("--mm-per-px", help="Millimetres per pixel.")]
ProductOption = Annotated[str | None, typer.Option("--product", help="A registered product; see kenpin products.")]
LotOption = Annotated[str | None, typer.Option("--lot", help="Lot that the part is of.")]
PartOption = Annotated[str | None, typer.Option("--part", help="Number of the part; its exposures share it.")]
CameraOption = Annotated[Path | None, typer.Option("--camera", help="Camera profile (YAML or JSON).")]
CriteriaOption = Annotated[Path | None, typer.Option("--criteria", help="Criteria file (YAML).")]


@app.command()
def inspect(
    image: Path,
    instruction: str,
    reference: ReferenceOption = None,
    good: GoodOption = None,
    mm_per_px: ScaleOption = None,
    criteria: CriteriaOption = None,
    product: ProductOption = None,
    camera: CameraOption = None,
    lot: LotOption = None,
    part: PartOption = None,
    planner: PlannerOption = None,
    as_json: JsonOption = False,
    lang: LangOption = "auto",
    report: Annotated[Path | None, typer.Option("--report", help="Write a self-contained HTML report.")] = None,
    fail_on: Annotated[
        Literal["ng", "uncertain"] | None, typer.Option("--fail-on", help="Exit 1 on ng, or on ng and uncertain.")
    ] = None,
) -> None:
    """Look at one picture and answer one instruction."""
    from agent.inspector import answer_of, checked
    from kenpin.session import material
    from kenpin.terminal import Screen

    checked(instruction)
    kenpin, actor = services(planner=planner), console_actor()
    given = material(
        image, references=reference or (), good=good, mm_per_px=mm_per_px, criteria=criteria, lang=lang,
        product=product, camera=camera, shelf=lambda: kenpin.shelf(actor), lot=lot, part=part,
    )
    inspection = kenpin.asking.start(actor, given)
    events = kenpin.asking.say(actor, inspection, instruction)
    answer: Answer | None
    if as_json:
        answer = answer_of(events)
        sys.stdout.write(kenpin.asking.trace(actor, inspection).model_dump_json() + "\n")
    else:
        screen = Screen(console(), lang=lang)
        screen.planner(kenpin.asking.planner(actor))
        answer = screen.follow(events, instruction)
    if report:
        from kenpin.reports import write_report

        write_report(report, kenpin.asking.trace(actor, inspection), kenpin.kenpin.pictures, lang=lang)
        console(err=True).print(f"report: {report}", markup=False, soft_wrap=True)
    if fail_on and answer and answer.verdict in {"ng": ("ng",), "uncertain": ("ng", "uncertain")}[fail_on]:
        raise typer.Exit(1)


@app.command()
def chat(
    image: Path,
    reference: ReferenceOption = None,
    good: GoodOption = None,
    mm_per_px: ScaleOption = None,
    criteria: CriteriaOption = None,
    product: ProductOption = None,
    camera: CameraOption = None,
    lot: LotOption = None,
    part: PartOption = None,
    planner: PlannerOption = None,
    lang: LangOption = "auto",
    resume: Annotated[str | None, typer.Option("--resume", help="Id of an inspection to go on with.")] = None,
) -> None:
    """Talk about one picture in the terminal. An empty line or Ctrl-D ends it."""
    from kenpin.contracts.errors import InstructionRefused
    from kenpin.session import material
    from kenpin.terminal import Screen

    kenpin, actor = services(planner=planner), console_actor()
    out = console()
    asking, screen = kenpin.asking, Screen(out, lang=lang)
    inspection = resume or asking.start(
        actor,
        material(
            image, references=reference or (), good=good, mm_per_px=mm_per_px, criteria=criteria, lang=lang,
            product=product, camera=camera, shelf=lambda: kenpin.shelf(actor), lot=lot, part=part,
        ),
    )
    trace = asking.trace(actor, inspection)
    runs = planner or trace.planner.backend
    screen.planner(asking.planner(actor, runs))
    out.print(f"[dim]inspection {inspection}[/dim]")
    if resume:
        screen.follow(asking.resume(actor, inspection, planner=runs), trace.turns[-1].say if trace.turns else "")
    while True:
        try:
            text = out.input("[bold]> [/bold]").strip()
        except (EOFError, KeyboardInterrupt):
            break
        if not text:
            break
        try:
            screen.follow(asking.say(actor, inspection, text, planner=runs), text)
        except InstructionRefused as exc:
            out.print(f"kenpin: {exc}", markup=False)


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port of the page.")] = 8501,
    address: Annotated[str, typer.Option(help="Address to bind to; loopback unless told otherwise.")] = "127.0.0.1",
    planner: PlannerOption = None,
) -> None:
    """Open the chat page."""
    from kenpin.config import read_settings
    from kenpin.launch import run_ui

    raise typer.Exit(run_ui(read_settings(planner=planner), port=port, address=address))


@app.command()
def evaluate(
    suite: Path,
    planner: PlannerOption = None,
    as_json: JsonOption = False,
    require: Annotated[float | None, typer.Option("--require", help="Exit 1 below this pass rate.")] = None,
) -> None:
    """Run a suite of conversations and count what passed."""
    import tempfile

    from kenpin.evaluate.run import run_suite
    from kenpin.evaluate.suite import read_suite
    from kenpin.session import SuiteTalker
    from kenpin.terminal import rates

    conversations = read_suite(suite)
    with tempfile.TemporaryDirectory(prefix="kenpin-evaluate-") as home:
        # In a home of its own, so that it neither sees nor leaves anything behind; the figures are one planner's.
        talker = SuiteTalker(installation(planner=planner, home=Path(home)).inspector(fallback=False))
        err = console(err=True)
        with err.status("…") as status:
            outcome = run_suite(conversations, suite.parent, talker, progress=status.update)
    if as_json:
        sys.stdout.write(json.dumps(outcome.report(), ensure_ascii=False) + "\n")
    else:
        out = console()
        out.print(rates(outcome.groups))
        for failure in outcome.failures:
            flag = " wrong action" if failure["wrong_action"] else ""
            missed = ", ".join(failure["missed"])
            out.print(f"{failure['id']} turn {failure['turn']}: missed {missed}{flag}: {failure['say']}", markup=False)
        counts = f"{outcome.passed} of {outcome.turns} turns passed ({outcome.rate:.1%})"
        out.print(f"{counts}, {outcome.wrong_actions} wrong actions")
    if require is not None and outcome.rate < require:
        raise typer.Exit(1)


@app.command()
def benchmark(
    manifest: Path,
    good: Annotated[int, typer.Option(min=0, max=50, help="Good samples a surface that detect is given.")] = 0,
    predictions: Annotated[Path | None, typer.Option(help="Write one line a picture, maps beside it.")] = None,
    save: Annotated[Path | None, typer.Option(help="Write the figures to a JSON file.")] = None,
    task: Annotated[
        list[str] | None,
        typer.Option("--task", help="Only inspect, pair, count, measure or retrieval; may be given several times."),
    ] = None,
    surface: Annotated[list[str] | None, typer.Option("--surface", help="Only this surface; several times.")] = None,
    part: Annotated[
        list[str] | None,
        typer.Option("--part", help="Pattern for file names whose first group names the part; several times."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the choice of good samples.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Run the tools over labelled pictures and print how right they are. Try it on your own before you trust them."""
    from kenpin.evaluate.benchmark.manifest import read_manifest
    from kenpin.evaluate.benchmark.predictions import Writer
    from kenpin.evaluate.benchmark.run import TASKS, run_benchmark
    from kenpin.evaluate.benchmark.table import remarks, tables

    if unknown := set(task or ()) - set(TASKS):
        raise typer.BadParameter(f"--task {min(unknown)}: expected {', '.join(TASKS)}")
    data = read_manifest(manifest, parts=part or (), surfaces=surface or ())
    with Writer(predictions) as writer, console(err=True).status("…") as status:
        outcome = run_benchmark(data, embedder=installation().embedder, writer=writer, good=good, seed=seed,
                                tasks=task or TASKS, progress=status.update)
    report = json.dumps(outcome.report(), ensure_ascii=False)
    if save:
        save.write_text(report + "\n", encoding="utf-8")
    if as_json:
        sys.stdout.write(report + "\n")
        return
    out = console()
    for table in tables(outcome):
        out.print(table)
    for remark in remarks(outcome):
        out.print(remark, markup=False)


@app.command()
def doctor(planner: PlannerOption = None, as_json: JsonOption = False) -> None:
    """Say what is installed, which planner answers, what is missing and how to get it."""
    from kenpin.doctor import examine

    findings = examine(installation(planner=planner))
    if as_json:
        sys.stdout.write(json.dumps([f.__dict__ for f in findings], ensure_ascii=False) + "\n")
    else:
        out = console()
        for f in findings:
            out.print(
                f"{'✓' if f.ok else '✗'} {f.what}: {f.says}" + (f" → {f.remedy}" if f.remedy else ""), markup=False
            )
    if any(f.vital and not f.ok for f in findings):
        raise typer.Exit(3)


def main() -> None:
    """Entry point: errors of the user are one line and an exit code, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character must not end an inspection.
            stream.reconfigure(errors="backslashreplace")
    try:
        # Without the standalone mode, wrong options come here and are one line like everything else.
        code = app(args=sys.argv[1:] or ["--help"], standalone_mode=False)
    except (KenpinError, typer.TyperException) as exc:
        text = exc.format_message() if isinstance(exc, typer.TyperException) else str(exc)
        sys.stderr.write(f"kenpin: {' '.join(text.split())}\n")
        code = exc.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:
        # The reader of our output has gone; Python would complain about it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as exc:
        # A full disk or a folder without rights: what the user must mend, not a bug.
        where = f": {exc.filename}" if exc.filename else ""
        sys.stderr.write(f"kenpin: {exc.strerror or exc}{where}\n")
        code = 2
    sys.exit(code)


if __name__ == "__main__":
    main()
