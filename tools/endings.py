"""`ask` and `answer`: the calls that end a turn. They touch no picture; the loop reads their arguments."""

from typing import Annotated, Literal

from pydantic import Field

from kenpin.contracts.errors import ToolInputError
from tools.spec import Report, Tool, ToolArgs, Workbench


class AskArgs(ToolArgs):
    """A clarifying question."""

    question: Annotated[str, Field(min_length=1, max_length=2000, description="One question, in the user's language.")]
    missing: Annotated[
        tuple[str, ...], Field(description="What is needed: reference, scale, limit, target, wish.")
    ] = ()


class AnswerArgs(ToolArgs):
    """The end of a turn."""

    text: Annotated[
        str,
        Field(
            min_length=1,
            max_length=8000,
            description=("The answer in the user's language. Cite the step behind each number, box or claim as [n]."),
        ),
    ]
    kind: Annotated[
        Literal["answer", "refusal"],
        Field(description="`refusal` says what cannot be done and why; it carries no verdict."),
    ] = "answer"
    judged: Annotated[bool, Field(description="True if the user asked whether the part is acceptable.")] = False
    about: Annotated[tuple[str, ...], Field(description="Ids of the findings that the answer speaks of.")] = ()


def _ends(bench: Workbench, args: ToolArgs) -> Report:
    """Not reached: the loop ends the turn before it would run this."""
    raise ToolInputError("this call ends a turn and does nothing by itself")


ASK = Tool(
    name="ask",
    args=AskArgs,
    run=_ends,
    description="Ask the user one question when something needed is missing or unclear. Ends the turn.",
)
ANSWER = Tool(
    name="answer",
    args=AnswerArgs,
    run=_ends,
    description="Give the answer with citations [n], or refuse. Ends the turn. The verdict is not yours to give: "
    "it is computed from the steps.",
)
ENDINGS = {tool.name: tool for tool in (ASK, ANSWER)}
