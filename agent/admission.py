"""What may be said, and what a lot or a part may be called."""

from kenpin.contracts.errors import BadInput, InstructionRefused

MAX_INSTRUCTION = 8000
"""Characters. Longer texts are no instructions, and a model's context is finite."""

MAX_NAME = 200
"""Characters of the name of a lot or a part."""


def checked(instruction: str) -> str:
    """An instruction without the space around it.

    Raises:
        InstructionRefused: It is empty, longer than `MAX_INSTRUCTION`, or not text.
    """
    text = instruction.strip()
    if not text:
        raise InstructionRefused("the instruction is empty; say what to look at, for instance: Look for scratches.")
    if len(text) > MAX_INSTRUCTION:
        raise InstructionRefused(f"the instruction has {len(text)} characters; at most {MAX_INSTRUCTION}, shorten it")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InstructionRefused(
            "the instruction is not UTF-8 text; set the terminal to UTF-8, type it again"
        ) from None
    return text


def checked_name(what: str, text: str | None) -> None:
    """Make sure that the name of a lot or a part can stand in a list.

    Raises:
        BadInput: It is longer than `MAX_NAME`, or holds a line break or something that cannot be printed.
    """
    if text is not None and not (text.isprintable() and text.strip() and len(text) <= MAX_NAME):
        raise BadInput(f"{what} {text[:40]!r}: expected 1 to {MAX_NAME} printable characters in one line")
