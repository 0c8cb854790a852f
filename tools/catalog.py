"""Every tool, one line each."""

from tools import (
    calibrate,
    check_image,
    compare,
    count,
    crop,
    detect,
    enhance,
    measure,
    read_text,
    recall,
    zoom,
)
from tools.endings import ANSWER, ASK
from tools.spec import Tool

TOOLS: tuple[Tool, ...] = (
    check_image.TOOL,
    crop.TOOL,
    zoom.TOOL,
    enhance.TOOL,
    detect.TOOL,
    compare.TOOL,
    measure.TOOL,
    calibrate.TOOL,
    count.TOOL,
    read_text.TOOL,
    recall.TOOL,
)
CATALOG: dict[str, Tool] = {tool.name: tool for tool in TOOLS}
"""Tools that do something, by name."""

OFFERED: dict[str, Tool] = {**CATALOG, ASK.name: ASK, ANSWER.name: ANSWER}
"""What a planner may call: the catalogue, and the two ends of a turn."""
