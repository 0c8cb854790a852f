"""The line to an OpenAI-compatible server: one address, no proxy, no tracing; every fault ends in one clear line."""

import hashlib
import re
import ssl
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import Runnable

from agent.planners.vllm_bounds import BoundError, hooks
from agent.planners.vllm_prune import MOST_CUTS, Cuts, cut_at, pictures_in, pruned, weight_of_tools
from agent.planners.vllm_reply import tolerant_chat
from agent.quiet import keep_private
from kenpin.config import Settings
from kenpin.contracts.errors import Unavailable

MAX_TOKENS = 2048
"""Of a reply. The longest answer fits; an endless one is cut off and handed back."""
SEED = 1
SESSION = "X-Session-ID"
"""What a balancer before several servers can go by: all requests come from this one machine."""
TOO_MANY = re.compile(r"at most (\d+) image", re.IGNORECASE)
TOO_LONG = re.compile(
    r"context length|maximum model length|max_model_len|too long|too large|max_tokens must|input tokens|"
    r"exceeds? .{0,40}limit", re.IGNORECASE)
COUNTED = re.compile(r"(\d+) input tokens|(\d+) in the messages|prompt \(length (\d+)\)", re.IGNORECASE)
CONTEXT = re.compile(r"(?:context|model) length (?:is|of) (?:only )?(\d+)", re.IGNORECASE)
NO_PICTURES = re.compile(r"not a multimodal model|does not support (?:image|vision|multimodal)|at most 0 image",
                         re.IGNORECASE)
NO_FORCED_CALL = re.compile(r"tool[ _-]?choice|tool[ -]call[ -]parser|enable-auto-tool", re.IGNORECASE)
STATUS = {
    401: "refuses the key; set KENPIN_VLLM_KEY",
    403: "refuses the key; set KENPIN_VLLM_KEY",
    404: "does not know what was asked for ({said}); check vllm_model, and that vllm_url ends in /v1",
    429: "is too busy (429); try again later",
}


@dataclass(frozen=True)
class Served:
    """A model as the server lists it."""

    id: str
    root: str | None = None
    """What is really behind the name."""
    adapter: str | None = None
    """The LoRA adapter, if the name stands for one."""
    base: str | None = None
    """What the adapter changes, as the server names its files; None for a model itself."""
    context: int | None = None
    """Tokens, if the server says so."""

    @property
    def names(self) -> list[str]:
        """Everything by which the family of the model may be known."""
        return [name for name in (self.id, self.root, self.base) if name]


class Line:
    """Talks to one server about one model."""

    def __init__(self, settings: Settings) -> None:
        self.url = settings.vllm_url.rstrip("/")
        self.pictures: int | None = None
        """Pictures a prompt may hold, once the server has said so."""
        self._cuts = Cuts()
        self._settings = settings
        self._http = _http(settings, self.url)
        # Connections are kept between requests; they end with the line.
        weakref.finalize(self, self._http["http_client"].close)
        keep_private()

    def served(self) -> Served:
        """The model to ask for, as the server lists it.

        Raises:
            Unavailable: Nothing answers, or no such model is served.
        """
        wanted = self._settings.vllm_model
        try:
            listed = self.models()
        except _Refused as exc:
            if wanted and exc.status in (404, 405, 501):
                return Served(id=wanted)  # a server that lists nothing may still serve
            raise
        if not listed:
            raise Unavailable(f"the server at {self.url} serves no model; start it with one")
        if wanted is None:
            return listed[0]
        for model in listed:
            if model.id == wanted:
                return model
        names = ", ".join(model.id for model in listed[:8])
        raise Unavailable(f"the server at {self.url} does not serve {wanted!r}; it serves: {names}")

    def models(self) -> list[Served]:
        """Everything that the server lists. Raises `Unavailable` if it does not answer."""
        import openai

        page = self.guarded(openai.OpenAI(**self._http, max_retries=0).models.list)
        found = []
        for model in getattr(page, "data", None) or []:
            more = model.model_extra or {}
            root = more.get("root") if isinstance(more.get("root"), str) else None
            context = more.get("max_model_len") if isinstance(more.get("max_model_len"), int) else None
            parent = more.get("parent")
            found.append(Served(id=str(model.id), root=root, context=context,
                                adapter=str(model.id) if parent else None, base=str(parent) if parent else None))
        roots = {model.id: model.root for model in found}
        # An adapter is asked as its model is: the server gives its own folder, which says nothing of the family.
        return [replace(model, base=roots.get(model.base) or model.base) if model.base else model for model in found]

    def raw(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One exchange outside the OpenAI protocol, `path` from the server's root: (status, what it said), or None if
        there is no answer. What it said is an object where it is JSON, else text."""
        import httpx

        key = {"Authorization": f"Bearer {self._http['api_key']}"}
        url = self.url.removesuffix("/v1") + path
        try:
            # A client of our own: the one of the OpenAI library may be of another HTTP library.
            seconds = self._settings.vllm_timeout
            with httpx.Client(trust_env=False, timeout=seconds, verify=_verify(self.url),
                              event_hooks=hooks(seconds)) as client:
                reply = client.get(url, headers=key) if body is None else client.post(url, headers=key, json=dict(body))
            said = reply.json() if "json" in reply.headers.get("content-type", "") else reply.text
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, BoundError):
            return None
        return reply.status_code, said

    def bound(self, model: Served, tools: Sequence[Mapping[str, Any]]) -> Runnable[Any, Any]:
        """A LangChain chat model with tools bound: one forced call a reply, never streamed."""
        import openai

        # Servers count the room for the reply against the context; a small one must keep some for the prompt.
        most = min(MAX_TOKENS, model.context // 4) if model.context else MAX_TOKENS
        chat = tolerant_chat()(
            **self._http, model=model.id, openai_proxy="", http_socket_options=(),
            http_async_client=openai.DefaultAsyncHttpxClient(trust_env=False, verify=False),  # asked for, never used
            max_retries=self._settings.vllm_retries, temperature=0, seed=SEED, streaming=False,
            use_responses_api=False, extra_body={"max_tokens": most})
        bound: Runnable[Any, Any] = chat.bind(tools=list(tools), tool_choice="required", parallel_tool_calls=False)
        return bound

    def ask(self, bound: Runnable[Any, Any], messages: list[AnyMessage]) -> AIMessage:
        """One decision. A prompt that is too large is cut and sent again; later ones begin with what is left of it.

        Raises:
            Unavailable: The server does not answer, refuses, or says nothing that can be understood.
        """
        cap, fixed = None, weight_of_tools(getattr(bound, "kwargs", {}).get("tools", ()))
        for _ in range(MOST_CUTS + 1):
            sent = cut_at(messages, self._cuts.of(messages))
            try:
                return self._answer(bound, sent if cap is None else pruned(sent, pictures=cap))
            except _TooMuch as exc:
                refused = exc
                if exc.pictures is None:
                    if not self._cuts.further(messages, over=exc.over, fixed=fixed):
                        break
                elif cap is not None and exc.pictures >= cap:
                    break
                else:
                    self.pictures = cap = exc.pictures
        raise Unavailable(f"the prompt is too large for the model at {self.url} even without what came before: "
                          f"{refused}; serve it with a longer context or lower vllm_pictures and vllm_long_side")

    def _answer(self, bound: Runnable[Any, Any], messages: list[AnyMessage]) -> AIMessage:
        for left in reversed(range(self._settings.vllm_retries + 1)):
            try:
                message = self.guarded(lambda: bound.invoke(messages), pictures=pictures_in(messages))
            except _BadReply:
                if not left:
                    raise
                continue
            assert isinstance(message, AIMessage)
            return message
        raise AssertionError("unreachable: the last try returns or raises")

    def guarded(self, call: Any, *, pictures: int = 0) -> Any:
        """Run one exchange and turn what can go wrong into one line.

        Raises:
            _TooMuch: The server said that the prompt is too large.
            Unavailable: Anything else that keeps it from answering.
        """
        import openai

        try:
            return call()
        except BoundError as exc:
            raise _BadReply(f"the server at {self.url} {exc}") from None
        except openai.APITimeoutError:
            raise Unavailable(f"the server at {self.url} did not answer within {self._settings.vllm_timeout:g} s; "
                              f"raise vllm_timeout or look at its log") from None
        except openai.APIConnectionError as exc:
            raise Unavailable(self._unconnected(exc)) from None
        except openai.APIStatusError as exc:
            raise self._refusal(exc, pictures) from None
        except (openai.APIError, ValueError, TypeError, KeyError, AttributeError) as exc:
            # The client libraries raise these on a body that is no chat completion: broken JSON, a page, no choices.
            raise _BadReply(f"the server at {self.url} sent something that is no chat completion "
                                f"({_short(str(exc))}); is it an OpenAI-compatible server?") from None

    def _unconnected(self, exc: Exception) -> str:
        """Nothing there, or there and gone."""
        cause: BaseException | None = exc
        while cause is not None:
            if type(cause).__name__ in ("ConnectError", "ConnectTimeout", "UnsupportedProtocol", "InvalidURL"):
                return (f"no server answers at {self.url}; start it with kenpin serve or vllm serve, "
                        f"set KENPIN_VLLM_URL, or choose --planner embedded")
            cause = cause.__cause__ or cause.__context__
        return f"the server at {self.url} broke the connection before it had answered; look at its log"

    def _refusal(self, exc: Any, pictures: int) -> Unavailable:
        """What a status says."""
        status, said = int(exc.status_code), _short(_message(exc))
        many = TOO_MANY.search(said)
        if NO_PICTURES.search(said):
            words = "has a model that takes no pictures; serve a vision-language model"
        elif status < 500 and many and pictures > int(many.group(1)):
            return _TooMuch(said, pictures=int(many.group(1)))
        elif status == 413 or (status in (400, 422) and TOO_LONG.search(said)):
            return _TooMuch(said, over=_over(said))
        elif status in (400, 422) and NO_FORCED_CALL.search(said):
            words = f"does not make tool calls ({said}); start it with a tool call parser that fits the model"
        elif 300 <= status < 400:
            words = f"points elsewhere ({status}); set KENPIN_VLLM_URL to where it is"
        else:
            words = STATUS.get(status, "refused the request ({status}: {said})").format(status=status, said=said)
        return _Refused(f"the server at {self.url} {words}", status=status)


def dialogue(inspection: str) -> dict[str, str]:
    """The header that all requests of one inspection carry, so that a balancer sends them to the server that has the
    beginning of their prompt in its cache. A digest: the inspection's id, which tells when it began, stays here."""
    return {SESSION: hashlib.sha256(f"kenpin dialogue {inspection}".encode()).hexdigest()[:32]}


class _TooMuch(Unavailable):
    """The prompt does not fit the server."""

    def __init__(self, said: str, *, pictures: int | None = None, over: float | None = None) -> None:
        super().__init__(said)
        self.pictures = pictures
        self.over = over
        """Tokens of the prompt over those that it may have, if the server says so."""


class _Refused(Unavailable):
    """The server answered with a status that no retry changes."""

    def __init__(self, said: str, *, status: int) -> None:
        super().__init__(said)
        self.status = status


class _BadReply(Unavailable):
    """The server answered with something that is no chat completion, or beyond all bounds."""


def _http(settings: Settings, url: str) -> dict[str, Any]:
    """What every client of this line shares: no proxies, no redirects and no keys of the environment."""
    import openai

    timeout = openai.Timeout(settings.vllm_timeout, connect=min(10.0, settings.vllm_timeout))
    client = openai.DefaultHttpxClient(trust_env=False, follow_redirects=False, timeout=timeout, verify=_verify(url),
                                       event_hooks=hooks(settings.vllm_timeout))
    key = settings.vllm_key.get_secret_value() if settings.vllm_key else ""
    return {"base_url": url, "api_key": key or "none", "timeout": timeout, "http_client": client}


def _verify(url: str) -> Any:
    """The system's certificates, and SSL_CERT_FILE, but nothing else of the environment."""
    return ssl.create_default_context() if url.startswith("https:") else False


def _message(exc: Any) -> str:
    """What the server itself said, if it said it in the usual form."""
    body = exc.body
    if isinstance(body, dict):
        inner = body.get("error")
        body = inner if isinstance(inner, dict) else body
        if isinstance(body.get("message"), str):
            return str(body["message"])
    return str(exc)


def _over(said: str) -> float | None:
    """How many times too long a prompt is by the words of a refusal; None if they do not say."""
    tokens, context = COUNTED.search(said), CONTEXT.search(said)
    if not tokens or not context:
        return None
    most = int(context.group(1)) - min(MAX_TOKENS, int(context.group(1)) // 4)
    return max(int(next(filter(None, tokens.groups()))) / max(most, 1), 1.0)


def _short(text: str) -> str:
    return " ".join(text.split())[:300]
