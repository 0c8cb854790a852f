"""What the command line shows: steps as they come, the answer, tables."""

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agent.events import Event, StepDone, StepStarted, TookOver, TurnEnded
from agent.prompting import word
from agent.reasons import explain, took_over
from agent.wording import language
from kenpin.contracts.trace import Answer, PlannerInfo, Step
from kenpin.contracts.verdict import Verdict

STYLES = {Verdict.OK: "bold green", Verdict.NG: "bold red", Verdict.UNCERTAIN: "bold yellow"}


class Screen:
    """Shows one conversation on the terminal. Text from pictures, cases and models is escaped, never markup."""

    def __init__(self, console: Console, *, lang: str = "auto") -> None:
        self._console = console
        self._lang = lang

    def planner(self, info: PlannerInfo) -> None:
        """Name the planner that runs."""
        adapter = f" · adapter {info.adapter} {(info.adapter_sha256 or '')[:12]}".rstrip() if info.adapter else ""
        self._console.print(f"[dim]planner: {escape(info.backend)} · {escape(info.model + adapter)}[/dim]")

    def follow(self, events: Iterator[Event], say: str) -> Answer | None:
        """Show a turn while it runs and return its answer."""
        lang = language(self._lang, say)
        answer: Answer | None = None
        taken: TookOver | None = None
        steps: list[Step] = []
        with self._console.status("…") as status:
            for event in events:
                match event:
                    case StepStarted(n=n, tool=tool):
                        status.update(f"{n} {word(tool, lang)} …")
                    case StepDone(step=step):
                        steps.append(step)
                        self._step(step, lang)
                    case TookOver(planner=planner, fallback=fallback):
                        taken = event
                        self._taken(took_over(fallback, planner, lang, steps=steps, ended=False), fallback.because)
                    case TurnEnded():
                        answer = event.answer
        if answer:
            self.answer(answer, lang)
            if taken:
                self._taken(took_over(taken.fallback, taken.planner, lang, steps=steps))
        return answer

    def _taken(self, words: str, because: str = "") -> None:
        self._console.print(f" [bold yellow]⚠ {escape(words)}[/bold yellow]")
        if because:
            self._console.print(f"   [dim]{escape(because)}[/dim]")

    def _step(self, step: Step, lang: str) -> None:
        mark = {"ok": "[green]✓[/green]", "refused": "[yellow]–[/yellow]", "failed": "[red]✗[/red]"}[step.status]
        boxes = f" {len(step.boxes)} □" if step.boxes else ""
        view = f" → {step.view}" if step.view and step.view != step.args.get("view", "v0") else ""
        self._console.print(
            f" {mark} [bold]\\[{step.n}][/bold] {escape(word(step.tool, lang))}{view}{boxes} "
            f"[dim]{step.ms:.0f} ms · {escape(step.why)}[/dim]"
        )
        if step.error:
            self._console.print(f"     [yellow]{escape(step.error)}[/yellow]")

    def answer(self, answer: Answer, lang: str) -> None:
        """Show how a turn ended."""
        self._console.print()
        if answer.verdict:
            self._console.print(
                f"[{STYLES[answer.verdict]}] {word(f'v.{answer.verdict}', lang)} [/]"
                f" [dim]{escape(answer.rule or '')}[/dim]"
            )
        elif answer.kind != "answer":
            self._console.print(f"[bold cyan]{'?' if answer.kind == 'question' else '—'}[/]", end=" ")
        self._console.print(escape(answer.text))
        for code in answer.reasons:
            self._console.print(f"  [yellow]• {escape(explain(code, lang))}[/yellow]")
        if answer.unverified:
            self._console.print(f"  [yellow]unverified: {escape(', '.join(answer.unverified))}[/yellow]")


def rates(groups: dict[str, list[int]]) -> Table:
    """A table of pass rates per group."""
    table = Table("group", "passed", "turns", "rate")
    for name, (passed, turns) in sorted(groups.items()):
        table.add_row(name, str(passed), str(turns), f"{passed / turns:.1%}")
    return table
