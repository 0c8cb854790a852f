"""The one boundary that turns a planner's call into an outcome: done, refused or failed."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
from pydantic import ValidationError

from kenpin.contracts.errors import StoreError, ToolInputError, Unavailable
from tools.spec import Report, Tool, ToolArgs, Workbench


@dataclass(frozen=True)
class Call:
    """A tool call as a planner made it, boxes already in original pixels."""

    tool: str
    args: dict[str, Any]
    id: str

    @property
    def why(self) -> str:
        return str(self.args.get("why") or "")


@dataclass(frozen=True)
class ToolDone:
    """The tool ran."""

    args: ToolArgs
    report: Report
    ms: float


@dataclass(frozen=True)
class ToolRefused:
    """The call cannot be carried out as it stands; the reason goes back to the planner."""

    reason: str
    ms: float = 0.0


@dataclass(frozen=True)
class ToolFailed:
    """The call was right, but something that it needs is broken or missing."""

    reason: str
    ms: float = 0.0


Outcome = ToolDone | ToolRefused | ToolFailed


def execute(call: Call, bench: Callable[[], Workbench], tools: Mapping[str, Tool]) -> Outcome:
    """Validate a call and run its tool. Expected errors become outcomes; bugs crash."""
    tool = tools.get(call.tool)
    if tool is None:
        return ToolRefused(f"there is no tool {call.tool!r}; tools: {', '.join(tools)}")
    start = time.perf_counter()
    try:
        args = tool.args.model_validate(call.args)
        report = tool.run(bench(), args)
    except ValidationError as exc:
        return ToolRefused(one_line(exc), _ms(start))
    except ToolInputError as exc:
        return ToolRefused(str(exc), _ms(start))
    except (StoreError, Unavailable) as exc:
        return ToolFailed(str(exc), _ms(start))
    except (cv2.error, MemoryError) as exc:
        return ToolFailed(f"{call.tool} could not work on this picture: {' '.join(str(exc).split())[:200]}", _ms(start))
    return ToolDone(args=args, report=report, ms=_ms(start))


def one_line(exc: ValidationError) -> str:
    """What is wrong with a call's arguments, for the planner and the trace."""
    parts = []
    for error in exc.errors(include_url=False, include_context=False):
        where = ".".join(str(part) for part in error["loc"]) or "arguments"
        parts.append(f"{where}: {error['msg']}")
    return "; ".join(parts)


def _ms(start: float) -> float:
    return round((time.perf_counter() - start) * 1000, 2)
