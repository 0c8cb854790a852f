"""What a running server is told about adapters, and what it says of them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.planners.vllm_chat import Line, Served
from kenpin.contracts.errors import BadInput, Unavailable

OK, REFUSES_KEY = 200, (401, 403)
ASKED = "Name three defects that a milled part can have, and say how each is seen."
TOKENS = 16
"""Of an answer that is compared. Each is weighed over the whole vocabulary, so that a change of any layer shows."""
WORKER = re.compile(r"Worker failed with error ['\"](.+)['\"], please check", re.DOTALL)
ROOM = re.compile(r"LoRA rank (\d+) is greater than max_lora_rank (\d+)")


class AdapterServer:
    """A vLLM server that loads and unloads adapters while it runs."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def listed(self) -> tuple[Served, tuple[Served, ...]]:
        """The model itself, and the adapters that are served.

        Raises:
            Unavailable: Nothing answers, or it serves no model.
        """
        found = self._line.models()
        base = next((model for model in found if model.adapter is None), None)
        if base is None:
            raise Unavailable(f"the server at {self._line.url} serves no model; start it with one")
        return base, tuple(model for model in found if model.adapter)

    def load(self, name: str, folder: Path) -> None:
        """Load an adapter.

        Raises:
            BadInput: The server has no room for its rank.
            Unavailable: It does not answer, loads none while it runs, or refuses this one.
        """
        status, said = self._told("load", {"lora_name": name, "lora_path": str(folder)})
        if status == OK:
            return
        if room := ROOM.search(said):
            raise BadInput(f"{name}: has rank {room[1]}, and the server was started for rank {room[2]} at most; start "
                           "it with a larger --adapter-rank")
        raise Unavailable(f"the server at {self._line.url} does not load {name} ({said}); look at its log")

    def unload(self, name: str) -> None:
        """Unload an adapter; one that is not there any more is as good as unloaded.

        Raises:
            Unavailable: It does not answer, or changes no adapters while it runs.
        """
        status, said = self._told("unload", {"lora_name": name})
        if status not in (OK, 404):
            raise Unavailable(f"the server at {self._line.url} does not unload {name} ({said}); look at its log")

    def changed(self, name: str, base: str) -> bool:
        """Whether the server answers otherwise with an adapter than without it. One that it left out changes nothing.

        Raises:
            Unavailable: It does not answer, or not in numbers.
        """
        return self._weighed(name) != self._weighed(base)

    def _weighed(self, model: str) -> list[Any]:
        """The tokens of an answer with the logarithm of the likelihood of each."""
        body = {"model": model, "temperature": 0, "max_tokens": TOKENS, "logprobs": True, "ignore_eos": True,
                "messages": [{"role": "user", "content": ASKED}]}
        answer = self._line.raw("/v1/chat/completions", body)
        try:
            assert answer is not None and answer[0] == OK
            return [(one["token"], one["logprob"]) for one in answer[1]["choices"][0]["logprobs"]["content"]]
        except (AssertionError, KeyError, IndexError, TypeError):
            said = "no answer" if answer is None else _words(answer[1])
            raise Unavailable(f"the server at {self._line.url} does not answer with {model} ({said}); look at its log"
                              ) from None

    def _told(self, verb: str, body: Mapping[str, Any]) -> tuple[int, str]:
        answer = self._line.raw(f"/v1/{verb}_lora_adapter", body)
        if answer is None:
            raise Unavailable(f"no server answers at {self._line.url}; start it with kenpin serve")
        status, said = answer[0], _words(answer[1])
        if status == REFUSES_KEY[0]:
            raise Unavailable(f"the server at {self._line.url} refuses the key; set KENPIN_VLLM_KEY")
        if status == REFUSES_KEY[1]:
            raise Unavailable(f"the server at {self._line.url} loads adapters from another folder; give it and Kenpin "
                              "the same KENPIN_ADAPTERS")
        if status == 405 or (status == 404 and said == "Not Found"):
            raise Unavailable(f"the server at {self._line.url} changes no adapters while it runs; start it with kenpin "
                              "serve --adapters-while-running")
        return status, said


def _words(said: Any) -> str:
    """What a server said, in one line; of an error inside it, the error itself."""
    if isinstance(said, dict):
        inner = said.get("error", said.get("detail", said))
        said = inner.get("message", inner) if isinstance(inner, dict) else inner
    text = " ".join(str(said).split())
    found = WORKER.search(text)
    return (found[1] if found else text)[:300]
