"""`make demo`: inspects bundled pictures with the embedded planner and says how to go on."""

import sys

from rich.console import Console

from kenpin.cli_shared import console_actor, services
from kenpin.contracts.errors import KenpinError
from kenpin.samples import SAMPLES
from kenpin.session import material
from kenpin.terminal import Screen

ROUNDS: tuple[tuple[str, dict[str, str], tuple[str, ...]], ...] = (
    ("fabric_stain.jpg", {}, ("Is there anything wrong with this fabric?", "Any similar cases?")),
    ("fabric_clean.png", {"good": "fabric_good"}, ("シミがないか検査して",)),
    (
        "panel.png",
        {"reference": "panel_golden.png"},
        ("How long is the scratch? The black marker is 15 mm wide. Reject scratches over 25 mm.",),
    ),
)
"""Picture, what it is held against, and what is said."""


def run(console: Console) -> None:
    """Inspect the bundled pictures, steps and answers on the screen."""
    asking, actor = services(planner="embedded").asking, console_actor()
    screen = Screen(console)
    for file, given, instructions in ROUNDS:
        references = [SAMPLES / given["reference"]] if "reference" in given else []
        good = SAMPLES / given["good"] if "good" in given else None
        inspection = asking.start(actor, material(SAMPLES / file, references=references, good=good))
        held = {"reference": "golden sample", "good": "good samples"}
        console.rule(f"[bold]{file}[/bold]" + "".join(f" · {held[kind]} {name}" for kind, name in given.items()))
        for say in instructions:
            console.print(f"\n[bold]> {say}[/bold]")
            screen.follow(asking.say(actor, inspection, say), say)
    console.rule()
    console.print(
        'Your own picture:  .venv/bin/kenpin inspect PICTURE "Look for scratches."\n'
        "The chat page:     make ui    (then open http://127.0.0.1:8501)",
        markup=False,
    )


def main() -> None:
    """Entry point of `python -m kenpin.demo`."""
    try:
        run(Console(highlight=False))
    except KenpinError as exc:
        sys.stderr.write(f"kenpin: {exc}\n")
        sys.exit(exc.exit_code)


if __name__ == "__main__":
    main()
