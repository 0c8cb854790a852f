"""`kenpin replay` and `kenpin rerun`: an inspection made again from its record, or run again."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from kenpin.cli_shared import JsonOption, console, console_actor, services

if TYPE_CHECKING:
    from kenpin.contracts.trace import Trace


def replay(
    inspection: Annotated[str, typer.Argument(help="Id of the inspection.")],
    as_json: JsonOption = False,
) -> None:
    """Make the answers again from the stored steps, with no model and no tool, and check every picture and number.

    Exit code 0: everything is the stored one, bit for bit. 1: something is not, or cannot be shown to be.
    """
    import json

    from kenpin.replaying.replay import replay as made_again

    kenpin = services()
    trace, hashes = kenpin.asking.record(console_actor(), inspection)
    outcome = made_again(trace, kenpin.kenpin.pictures, recorded=hashes)
    if as_json:
        told = {"inspection": trace.id, "identical": outcome.identical,
                "checks": [check.model_dump(mode="json") for check in outcome.checks]}  # fmt: skip
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
    else:
        out = console()
        for check in outcome.checks:
            mark = {True: "✓", False: "✗", None: "?"}[check.same]
            out.print(f"{mark} {check.what}: {check.says}", markup=False, soft_wrap=True)
        changed, unknown = len(outcome.differences), len(outcome.unknown)
        words = "identical: every picture and every number is the stored one, bit for bit"
        if not outcome.identical:
            words = f"different: {changed} not what was stored, {unknown} that cannot be checked"
        out.print(f"{trace.id} {words} ({len(outcome.checks)} checks)", markup=False, soft_wrap=True)
    if not outcome.identical:
        raise typer.Exit(1)


def rerun(
    inspection: Annotated[str, typer.Argument(help="Id of the inspection.")],
    planner: Annotated[
        str | None, typer.Option("--planner", help="embedded, vllm or local; default is the one that ran it.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run the same instructions again as a new inspection and say what differs in steps, numbers, boxes and verdict.

    Exit code 0: nothing differs. 1: something does. Times and the answer's wording do not count.
    """
    import json

    from kenpin.replaying.differences import differences

    kenpin, actor = services(), console_actor()
    old, _ = kenpin.asking.record(actor, inspection)
    again, events = kenpin.asking.rerun(actor, inspection, planner=planner)
    with console(err=True).status("…"):
        for _ in events:
            pass
    new = kenpin.asking.trace(actor, again)
    found = differences(old, new)
    if as_json:
        told = {"inspection": old.id, "rerun": new.id, "same": not found,
                "differences": [difference.model_dump(mode="json") for difference in found]}  # fmt: skip
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
    else:
        out = console()
        for difference in found:
            out.print(difference.line(), markup=False, soft_wrap=True)
        words = f"{len(found)} differences" if found else "nothing differs"
        by = _by(old), _by(new)
        out.print(f"{old.id} ({by[0]}) and {new.id} ({by[1]}): {words}", markup=False, soft_wrap=True)
    if found:
        raise typer.Exit(1)


def _by(trace: "Trace") -> str:
    """The planners that answered the turns of an inspection, those that stood in for another marked as such."""
    from kenpin.contracts.trace import planner_of

    told = [f"{info.backend} {info.model}{' (stood in)' if turn.fallback else ''}"
            for turn in trace.turns for info in [planner_of(trace, turn)]]
    return ", ".join(dict.fromkeys(told)) or f"{trace.planner.backend} {trace.planner.model}"
