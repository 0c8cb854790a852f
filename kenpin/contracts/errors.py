"""Every error that Kenpin raises on purpose.

KenpinError
├── BadInput               what the user gave cannot be used         (exit 2)
│   ├── PictureRefused     not a picture, truncated, too large, ...
│   ├── InstructionRefused empty or far too long
│   └── FileRefused        a criteria, suite or manifest file that cannot be read as such
├── ToolInputError         a tool cannot work on what it was given; becomes a refused step
├── StoreError             a record is missing or is not what was stored
│   ├── Conflict           somebody else wrote first
│   ├── Locked             a signed record cannot be changed
│   └── KeyRefused         the master key is missing or is not the one that sealed the records
├── NotAllowed             this person may not do this
│   └── SignInRefused      wrong name or password, locked out, or the session has ended
├── MissingExtra           an optional part is not installed          (exit 3)
└── Unavailable            a server or model that was asked for       (exit 3)
"""


class KenpinError(Exception):
    """Root of the tree. Its text is one line: what was wrong, what was expected, what to do."""

    exit_code = 2


class BadInput(KenpinError):
    """What the user gave cannot be used."""


class PictureRefused(BadInput):
    """The file is not a picture that can be inspected."""


class InstructionRefused(BadInput):
    """The instruction is empty or too long."""


class FileRefused(BadInput):
    """A criteria, suite or manifest file cannot be read as such."""


class ToolInputError(KenpinError):
    """A tool cannot work on what it was given. `agent.toolcall` turns it into a refused step."""


class StoreError(KenpinError):
    """A stored record is missing or is not what was stored."""


class Conflict(StoreError):
    """Somebody else has written since the caller read. Nothing was changed; read again and decide again."""


class Locked(StoreError):
    """The record is signed. It is changed by an amendment only."""


class KeyRefused(StoreError):
    """The master key is missing, malformed, or not the one that sealed the records. Nothing was changed."""


class NotAllowed(KenpinError):
    """The person who asks has no right to do this."""


class SignInRefused(NotAllowed):
    """Wrong name or password, a locked account, or a session that has ended."""


class MissingExtra(KenpinError):
    """An optional part is not installed."""

    exit_code = 3

    def __init__(self, what: str, *, extra: str) -> None:
        super().__init__(f"{what} needs an optional part; install it with: pip install 'kenpin[{extra}]'")


class Unavailable(KenpinError):
    """A server or model that was asked for does not answer or cannot do what is needed."""

    exit_code = 3
