"""The adapter that turns ask for, made sure of before each request."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from langchain_core.messages import AnyMessage
from langchain_core.runnables import RunnableLambda

from agent.planners.base import Planner
from agent.planners.vllm_chat import Line
from agent.planners.vllm_ways import BEGUN, OK
from kenpin.adapters.book import read_book
from kenpin.adapters.checking import CONFIG, WEIGHTS
from kenpin.adapters.keeping import Kept, kept_folder, sha256_of, stamp
from kenpin.adapters.server import AdapterServer
from kenpin.adapters.turns import Turns
from kenpin.config import Settings
from kenpin.contracts.errors import BadInput, Unavailable
from kenpin.contracts.ports import AuditLog
from kenpin.contracts.trace import PlannerInfo
from kenpin.database.engine import Database

LOG = logging.getLogger(__name__)
RELOADED = "adapter.reloaded"
BACK = "load it again or put the model itself back: kenpin adapters use --base"


class AdapterInUse:
    """Says which adapter the planner `vllm` is to ask for."""

    def __init__(self, settings: Settings, database: Callable[[], Database], audit: Callable[[], AuditLog]) -> None:
        self._settings, self._database, self._audit = settings, database, audit
        self._intact: dict[str, tuple[int, ...]] = {}
        """What each copy looked like when its bytes were last found right."""

    def chosen(self, planner: str) -> Kept | None:
        """The adapter that a turn of this planner asks for. No server is asked.

        Returns:
            None for other planners, while none is in use, and where `KENPIN_VLLM_MODEL` names what to ask for.
        """
        if planner != "vllm" or self._settings.vllm_model is not None or not self._begun():
            return None
        with self._database().read() as connection:
            return read_book(connection).used

    def built_for(self, build: Callable[[Settings], Planner], planner: str) -> Planner:
        """A planner that asks for the adapter in use, or as it is where there is none.

        Before each request the server is asked whether it still has the adapter: one that was started again has lost
        it, and gets the same copy again.

        Args:
            build: Builds the planner from settings.
            planner: Its name.
        Raises:
            Unavailable: As `make_sure`, and as `build`.
        """
        kept = self.chosen(planner)
        if kept is None:
            built = build(self._settings)
            return replace(built, info=self._named(built.info))
        server = AdapterServer(Line(self._settings))
        self.make_sure(kept, server)
        built = build(self._settings.model_copy(update={"vllm_model": kept.name}))

        def ask(messages: list[AnyMessage]) -> Any:
            self.make_sure(kept, server)
            return built.model.invoke(messages)

        info = built.info.model_copy(update={"adapter": kept.name, "adapter_sha256": kept.sha256})
        return replace(built, info=info, model=RunnableLambda(ask))

    def make_sure(self, kept: Kept, server: AdapterServer) -> None:
        """Have an adapter served with the bytes that were loaded.

        Raises:
            Unavailable: Kenpin's copy has changed, or the server does not have it and does not load it.
        """
        folder = kept_folder(self._settings) / kept.sha256
        self._check(kept, folder)
        if self._served(kept, folder, server):
            return
        try:
            server.load(kept.name, folder)
        except (BadInput, Unavailable) as exc:
            # Another turn may have had it loaded at the same moment.
            if not self._served(kept, folder, server):
                raise Unavailable(str(exc)) from None
            return
        LOG.warning("the server had lost the adapter %s; it was loaded again", kept.name)
        with self._database().write() as connection:
            self._audit().append(connection, actor="kenpin", action=RELOADED, subject=f"adapter:{kept.name}",
                                 sha256=kept.sha256)

    @contextmanager
    def running(self, info: PlannerInfo) -> Iterator[None]:
        """While a turn runs, the adapter of its planner is not unloaded.

        Raises:
            Unavailable: It was, since the planner was built.
        """
        with self.turns.using(info.adapter):
            if info.adapter is not None and self._settings.vllm_model is None and info.backend == "vllm":
                with self._database().read() as connection:
                    kept = read_book(connection).named(info.adapter)
                if kept is None or kept.sha256 != info.adapter_sha256:
                    raise Unavailable(f"the adapter {info.adapter} was unloaded meanwhile; say it again")
            yield

    @cached_property
    def turns(self) -> Turns:
        """Which adapters running turns use."""
        return Turns(self._settings.home / "adapters.lock")

    def _named(self, info: PlannerInfo) -> PlannerInfo:
        """A planner's name with the sha256 of an adapter that the server was started with, as far as it is known which
        bytes it has."""
        if info.backend == "local" and info.adapter is not None and self._settings.local_adapter is not None:
            return info.model_copy(update={"adapter_sha256": sha256_of(self._settings.local_adapter.expanduser())})
        if info.backend != "vllm" or info.adapter is None:
            return info
        return info.model_copy(update={"adapter_sha256": self._at_start(info.adapter)})

    def _begun(self) -> bool:
        """Whether there are records at all. Nothing is made by asking."""
        return self._settings.database_url is not None or (self._settings.home / "kenpin.sqlite").exists()

    def _check(self, kept: Kept, folder: Path) -> None:
        """Hold a copy against its sha256; read again only if the file system says that it was touched."""
        try:
            now = stamp(folder)
            if self._intact.get(kept.sha256) != now:
                if sha256_of(folder) != kept.sha256:
                    raise Unavailable(f"the adapter {kept.name} is in use, and Kenpin's copy of it has changed; {BACK}")
                self._intact[kept.sha256] = now
        except OSError:
            raise Unavailable(f"the adapter {kept.name} is in use, and Kenpin's copy of it is gone; {BACK}") from None

    def _served(self, kept: Kept, folder: Path, server: AdapterServer) -> bool:
        _, adapters = server.listed()
        found = next((one for one in adapters if one.id == kept.name), None)
        if found and found.root != str(folder):
            raise Unavailable(f"the server has another adapter under the name {kept.name}; {BACK}")
        return found is not None

    def _at_start(self, name: str) -> str | None:
        """Of an adapter that the server was started with: if its files lie here and are older than the server."""
        line = Line(self._settings)
        try:
            root = next((model.root for model in line.models() if model.id == name), None)
            answer = line.raw("/metrics")
            begun = BEGUN.search(answer[1]) if answer and answer[0] == OK and isinstance(answer[1], str) else None
            if not root or not begun or not Path(root).is_absolute():
                return None
            touched = max((Path(root) / file).stat().st_ctime for file in (CONFIG, WEIGHTS))
            return sha256_of(Path(root)) if touched < float(begun[1]) else None
        except (OSError, Unavailable):
            return None

