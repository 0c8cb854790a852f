"""What a user does on the headless page, and what can be read there. Loaded by the tests with `runpy`."""

from collections.abc import Iterable

from streamlit.testing.v1 import AppTest

from kenpin.contracts.trace import Trace


def texts(page: AppTest) -> str:
    """Everything that is written in Markdown, captions, plain text and alerts."""
    kinds: Iterable[str] = ("markdown", "caption", "text", "error", "warning", "title", "header")
    return "\n".join(str(element.value) for kind in kinds for element in page.get(kind))


def give(page: AppTest, data: bytes, name: str = "panel.png", field: str = "subject") -> AppTest:
    """Drop a file into an upload field."""
    upload = next(f for f in page.file_uploader if str(f.key).startswith(field))
    upload.set_value((name, data, "image/png"))
    return page.run()


def say(page: AppTest, text: str) -> AppTest:
    """Write into the line at the bottom."""
    page.chat_input[0].set_value(text)
    return page.run()


def started(page: AppTest, data: bytes, text: str) -> AppTest:
    """A page whose first turn has run."""
    page.run()
    assert not page.exception
    give(page, data)
    say(page, text)
    assert not page.exception
    return page


def keys(page: AppTest, kind: str = "button") -> list[str]:
    return [str(element.key) for element in page.get(kind)]


def stored(page: AppTest) -> Trace:
    """The trace that the page would hand over."""
    from ui.backend import installation

    trace: Trace = installation().inspector("embedded").trace(installation().traces.ids()[0])
    return trace
