"""Bounds of one exchange with a server: how long its reply may take as a whole, and how large it may be.

Time-outs of an HTTP library are of each read, so that a server that sends a byte now and then would hold a turn for
ever; and a library unpacks what is compressed, so that a few bytes may come to gigabytes.
"""

import time
from collections.abc import Iterator
from typing import Any

MOST_BYTES = 16 * 2**20
"""Of a reply. The longest call has some ten thousand, the counters of a busy server a megabyte."""
BEGUN = "kenpin_begun"


class BoundError(Exception):
    """A reply is larger than any that is of use, keeps coming after its time, or is compressed although nobody asked.

    Its text says what the server did.
    """


def hooks(seconds: float) -> dict[str, list[Any]]:
    """Event hooks of an HTTP client (`httpx` or what goes by its interface) that hold replies to the bounds."""

    late = f"was still sending its reply after {seconds:g} s; raise vllm_timeout or look at its log"

    def begin(request: Any) -> None:
        request.headers["Accept-Encoding"] = "identity"
        request.extensions[BEGUN] = time.monotonic()

    def bound(response: Any) -> None:
        packed = response.headers.get("content-encoding", "identity").strip().lower()
        if packed not in ("", "identity"):
            response.close()
            raise BoundError(f"sent a compressed reply ({packed[:40]}); is it an OpenAI-compatible server?")
        begun = response.request.extensions.get(BEGUN, time.monotonic())
        response.stream = _bounded(response.stream, until=begun + seconds, late=late)

    return {"request": [begin], "response": [bound]}


def _bounded(stream: Any, *, until: float, late: str) -> Any:
    """A stream of bytes that ends where the bounds are."""
    # Of the kind that the library insists on: there are two of the same interface.
    kind = next(base for base in type(stream).__mro__ if base.__name__ == "SyncByteStream")

    class Bounded(kind):  # type: ignore[valid-type,misc]
        def __iter__(self) -> Iterator[bytes]:
            size = 0
            for chunk in stream:
                size += len(chunk)
                if size > MOST_BYTES:
                    raise BoundError(f"sent more than {MOST_BYTES >> 20} MiB; is it an OpenAI-compatible server?")
                if time.monotonic() > until:
                    raise BoundError(late)
                yield chunk

        def close(self) -> None:
            stream.close()

    return Bounded()
