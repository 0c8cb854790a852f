"""Headers that tell a browser what these pages never do. Sources: OWASP Secure Headers, CSP Level 3 (W3C)."""

import base64
import hashlib
import re
from collections.abc import Iterable
from importlib.resources import files

INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
YEAR = 31_536_000
LASTING = ("/static/",)
"""Streamlit's own files, named by their content: the only ones that a browser may keep."""


def inline_hashes(html: str) -> tuple[str, ...]:
    """The inline scripts of a page, as a policy names them."""
    digests = (hashlib.sha256(script.encode()).digest() for script in INLINE.findall(html))
    return tuple(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


def policy(scripts: Iterable[str]) -> str:
    """The Content-Security-Policy: everything from this server, nothing from elsewhere.

    Styles stand inline because Streamlit's do (Emotion writes them while it runs). Scripts of our components come as
    `blob:` from Streamlit's own code; the inline script of its page is allowed by its hash, no other one is.
    """
    rules = {
        "default-src": "'none'",
        "script-src": " ".join(["'self'", "blob:", *scripts]),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "media-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "worker-src": "'self' blob:",
        "manifest-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "object-src": "'none'",
        "frame-src": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def page_policy() -> str:
    """The policy for the Streamlit that is installed."""
    index = files("streamlit").joinpath("static", "index.html")
    return policy(inline_hashes(index.read_text(encoding="utf-8")))


def headers(content_policy: str, *, path: str, secure: bool) -> dict[str, str]:
    """What every answer carries.

    Args:
        content_policy: Of `page_policy`.
        path: Path of the request.
        secure: Whether it came over TLS.
    """
    given = {
        "Content-Security-Policy": content_policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "accelerometer=(), camera=(), geolocation=(), gyroscope=(), magnetometer=(), "
                              "microphone=(), payment=(), usb=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Robots-Tag": "noindex",
    }
    if not path.startswith(LASTING):
        given["Cache-Control"] = "no-store"
    if secure:
        given["Strict-Transport-Security"] = f"max-age={YEAR}"
    return given
