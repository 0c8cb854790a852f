"""What stands before a server whose adapters change while it runs: attacks against it, without a server."""

import asyncio
import json
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

Guard = run_path(str(Path(__file__).parents[2] / "kenpin" / "serving" / "guard" / "kenpin_vllm_guard.py"))["Guard"]
KEY = {"authorization": "Bearer right"}
LOAD = "/v1/load_lora_adapter"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VLLM_API_KEY", "right")
    monkeypatch.setenv("KENPIN_GUARD_FOLDER", str(tmp_path / "kept"))
    (tmp_path / "kept" / "abc").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "kept" / "link").symlink_to(tmp_path / "outside")
    return tmp_path / "kept"


def asked(path: str, *parts: bytes, kind: str = "http", **headers: str) -> tuple[int | str, bytes]:
    """Status of a request, and the body that came through to the server; 0 if it came through."""
    sent: list[Any] = []
    through: list[bytes] = []
    messages = [{"type": "http.request", "body": part, "more_body": n < len(parts) - 1}
                for n, part in enumerate(parts)] or [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            through.append(message.get("body", b""))
            if not message.get("more_body"):
                break

    scope = {"type": kind, "path": path, "headers": [(k.encode(), v.encode()) for k, v in headers.items()]}
    asyncio.run(Guard(app)(scope, receive, send))
    if through:
        return 0, b"".join(through)
    return sent[0].get("status", sent[0]["type"]), b""


def load(path: Any, **more: Any) -> bytes:
    return json.dumps({"lora_name": "a", "lora_path": path, **more}).encode()


@pytest.mark.parametrize("path", ["/adapters", "/adapters/a", "/invocations", "/tokenize", "/metrics", "/v1/models",
                                  LOAD, "/ping", "/docs", "//health", "/health/", "/"])
def test_nothing_but_health_is_answered_without_the_key(kept: Path, path: str) -> None:
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Bearer "}, {"authorization": "right"},
                    {"authorization": "Basic right"}):
        assert asked(path, load(str(kept / "abc")), **headers)[0] == 401
    assert asked("/health")[0] == 0


def test_a_socket_is_closed_and_the_life_of_the_server_goes_on(kept: Path) -> None:
    assert asked("/v1/realtime", kind="websocket", **KEY)[0] == "websocket.close"
    assert asked("", kind="lifespan")[0] == 0


def test_the_second_way_to_load_is_closed(kept: Path) -> None:
    assert asked("/adapters", load(str(kept / "abc")), **KEY)[0] == 404
    assert asked("/adapters/a", **KEY)[0] == 404


def test_only_a_kept_copy_is_loaded(kept: Path) -> None:
    good = load(str(kept / "abc"))
    assert asked(LOAD, good, **KEY) == (0, good)
    assert asked(LOAD, good[:10], good[10:], **KEY) == (0, good)
    assert asked("/v1/models", b"{}", **KEY) == (0, b"{}")
    for path in (kept.parent / "outside", f"{kept}/abc/../../outside", kept / "link", kept, kept / "none", "abc", "",
                 "some/repository", f"{kept}//abc", f"{kept}/abc/", f"{kept}/abc\x00", None, 5, ["a"], {}):
        assert asked(LOAD, load(path if not isinstance(path, Path) else str(path)), **KEY)[0] == 403, path


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"null", b"\xff", b"[" * 9000, b" " * 20_000])
def test_a_request_that_is_none(kept: Path, body: bytes) -> None:
    assert asked(LOAD, body, **KEY)[0] == 403


def test_no_adapter_takes_anothers_place_and_no_slash_leads_past(kept: Path) -> None:
    assert asked(LOAD, load(str(kept / "abc"), load_inplace=True), **KEY)[0] == 403
    assert asked(LOAD + "/", load(str(kept.parent / "outside")), **KEY)[0] == 403


@pytest.mark.parametrize("missing", ["VLLM_API_KEY", "KENPIN_GUARD_FOLDER"])
def test_without_key_or_folder_the_server_does_not_start(kept: Path, monkeypatch: pytest.MonkeyPatch,
                                                         missing: str) -> None:
    monkeypatch.delenv(missing)
    with pytest.raises(RuntimeError, match="must be set"):
        Guard(None)
