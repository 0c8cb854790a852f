"""A document as one self-contained HTML file: nothing is loaded from anywhere, and nothing runs."""

import base64

from jinja2 import Environment, PackageLoader, StrictUndefined

from kenpin.reports.blocks import Document, Shown


def html_bytes(document: Document) -> bytes:
    """The document as HTML, UTF-8. Every text is escaped by the template engine."""
    env = Environment(
        loader=PackageLoader("kenpin", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )
    return env.get_template("report.html").render(doc=document, address=_address).encode("utf-8")


def _address(picture: Shown) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(picture.jpeg).decode()}"
