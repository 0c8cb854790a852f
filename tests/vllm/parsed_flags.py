"""Parses command lines with vLLM's own parser. Run by the server's own Python: JSON lists of words on stdin, one JSON
object on stdout with the values, or what is wrong, for each. Nothing is started."""

import contextlib
import io
import json
import sys

from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser


def parsed(words: list[str]) -> dict[str, object]:
    """What the parser makes of one line."""
    parser, said = make_arg_parser(FlexibleArgumentParser(allow_abbrev=False)), io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            given = parser.parse_args(words)
    except SystemExit:
        return {"wrong": said.getvalue().strip().splitlines()[-1]}
    AsyncEngineArgs.from_cli_args(given)
    return {name: value if isinstance(value, str | int | float | dict | list | None) else str(value)
            for name, value in vars(given).items()}


lines = json.load(sys.stdin)
out, sys.stdout = sys.stdout, sys.stderr
json.dump([parsed(words) for words in lines], out)
