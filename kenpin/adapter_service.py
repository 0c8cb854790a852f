"""Adapters of the model server as a service: what is served, loading, unloading, and which one turns ask for."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from agent.planners.vllm_chat import Line, Served
from kenpin.adapters.base import layers_of
from kenpin.adapters.book import Book, read_book, write_book
from kenpin.adapters.keeping import Kept, adapters_folder, checked_name, discard, keep, kept_folder, offered
from kenpin.adapters.server import AdapterServer
from kenpin.contracts.errors import BadInput, KenpinError, Unavailable
from kenpin.contracts.people import Actor, Right
from kenpin.database.rows import utc
from kenpin.wiring import Kenpin

ASKED, LOADED, REFUSED, UNLOADED, USED = (
    "adapter.asked", "adapter.loaded", "adapter.refused", "adapter.unloaded", "adapter.used")  # fmt: skip


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AdapterRow(_Said):
    """One adapter."""

    name: str
    state: Literal["served", "lost", "other"]
    """`lost`: loaded here, and the server has it no more, since it was started again. `other`: the server has one of
    this name that was not loaded here (given at its start, or loaded by somebody else)."""
    in_use: bool = False
    folder: str
    sha256: str | None = None
    rank: int | None = None
    by: str | None = None
    at: str | None = None


class Adapters(_Said):
    """What there is of adapters."""

    url: str
    model: str | None
    """The model itself, as the server calls it; None if no server answers."""
    problem: str | None = None
    """Why not."""
    folder: str
    """That adapters are taken from."""
    offered: tuple[str, ...]
    """Folders in it."""
    adapters: tuple[AdapterRow, ...]
    fixed: str | None = None
    """What `KENPIN_VLLM_MODEL` names: it is asked whatever is in use here."""


class AdapterService:
    """Adapters behind `Right.ADAPTERS`. What is done, and what is refused, is in the audit log."""

    def __init__(self, kenpin: Kenpin) -> None:
        self._kenpin = kenpin

    def all(self, actor: Actor) -> Adapters:
        """What the server serves, what was loaded into it, and what could be.

        Raises:
            NotAllowed: The actor may not see to adapters.
        """
        self._kenpin.people.check(actor, Right.ADAPTERS)
        settings, book = self._kenpin.settings, self._book()
        model, problem = None, None
        served: tuple[Served, ...] = ()
        try:
            base, served = self._server().listed()
            model = base.id
        except Unavailable as exc:
            problem = str(exc)
        rows = [self._row(kept, book, served) for kept in book.loaded]
        others = [one for one in served if book.named(one.id) is None]
        rows += [AdapterRow(name=one.id, state="other", folder=one.root or "") for one in others]
        return Adapters(
            url=settings.vllm_url, model=model, problem=problem, folder=str(adapters_folder(settings)),
            offered=tuple(offered(settings)), adapters=tuple(rows), fixed=settings.vllm_model)  # fmt: skip

    def load(self, actor: Actor, name: str, *, folder: str | None = None) -> Kept:
        """Load an adapter into the running server.

        Args:
            actor: Who does it.
            name: By which the server is to know it.
            folder: Name of its folder in the folder of adapters; the same as its name if None.
        Raises:
            NotAllowed: As `all`.
            BadInput: The name cannot be or is taken, there is no such adapter, or it does not fit the served model.
            FileRefused: It cannot be read.
            Unavailable: The server does not answer, loads none while it runs, or leaves this one out.
        """
        self._kenpin.people.check(actor, Right.ADAPTERS)
        checked_name(name)
        place = checked_name(folder or name)
        with self._alone():
            server = self._server()
            base, served = server.listed()
            if name == base.id or any(one.id == name for one in served) or self._book().named(name):
                raise BadInput(f"the server has {name} already; unload it first, or choose another name")
            try:
                kept = self._kept(actor, name, place, base)
                self._loaded(kept, server, base)
            except KenpinError:
                self._note(actor, REFUSED, name, folder=place)
                raise
            with self._kenpin.database.write() as connection:
                write_book(connection, read_book(connection).with_one(kept))
                self._event(connection, actor, LOADED, kept)
        return kept

    def unload(self, actor: Actor, name: str) -> Kept:
        """Unload an adapter that was loaded here, and forget it.

        Raises:
            NotAllowed: As `all`.
            BadInput: It was not loaded here, is in use, or a turn with it runs.
            Unavailable: The server does not answer.
        """
        self._kenpin.people.check(actor, Right.ADAPTERS)
        with self._alone(), self._kenpin.adapter.turns.alone(name) as free:
            kept = self._known(name)
            if not free:
                raise BadInput(f"a turn with {name} runs; unload it when the turn has ended")
            if self._book().in_use == name:
                raise BadInput(f"{name} is in use; put the model itself back first, then unload it")
            server = self._server()
            if any(one.id == name and one.root == str(self._copy(kept)) for one in server.listed()[1]):
                server.unload(name)
            with self._kenpin.database.write() as connection:
                write_book(connection, read_book(connection).without(name))
                self._event(connection, actor, UNLOADED, kept)
            self._discard(kept)
        return kept

    def use(self, actor: Actor, name: str | None) -> Kept | None:
        """Put an adapter in use, or with None the model itself: turns that begin from now on ask for it.

        Raises:
            NotAllowed: As `all`.
            BadInput: It was not loaded here.
            Unavailable: It is not on the server with the bytes that were loaded, and cannot be loaded again.
        """
        self._kenpin.people.check(actor, Right.ADAPTERS)
        with self._alone():
            kept = self._known(name) if name is not None else None
            if kept:
                self._kenpin.adapter.make_sure(kept, self._server())
            with self._kenpin.database.write() as connection:
                book = read_book(connection)
                write_book(connection, book.model_copy(update={"in_use": name}))
                subject = f"adapter:{name}" if name else "adapter"
                sha256 = {"sha256": kept.sha256} if kept else {}
                self._kenpin.audit.append(connection, actor=actor.name, action=USED, subject=subject,
                                          before=book.in_use, **sha256)
        return kept

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """While adapters are changed, nobody else changes any."""
        with self._kenpin.holds.hold_if_free("adapters") as free:
            if not free:
                raise BadInput("somebody else is changing adapters at this moment; try again")
            yield

    def _kept(self, actor: Actor, name: str, place: str, base: Served) -> Kept:
        """A copy that fits the served model."""
        layers = layers_of(base.root or base.id)
        if layers is None:
            raise Unavailable(f"the files of the served model {base.root or base.id} cannot be read here, so that no "
                              "adapter can be held against them; serve it from a folder that this machine reads too")
        sha256, rank = keep(self._kenpin.settings, place, layers)
        kept = Kept(name=name, folder=place, sha256=sha256, rank=rank, by=actor.name, at=utc(datetime.now(UTC)))
        # The log first: killed in between, it tells of an attempt, and nothing is served that it does not tell of.
        with self._kenpin.database.write() as connection:
            self._event(connection, actor, ASKED, kept)
        return kept

    def _loaded(self, kept: Kept, server: AdapterServer, base: Served) -> None:
        """Have the server load a copy, and see that it counts."""
        try:
            server.load(kept.name, self._copy(kept))
        except KenpinError:
            self._discard(kept)
            raise
        try:
            if not server.changed(kept.name, base.id):
                raise BadInput(f"{kept.folder}: the server answers with it exactly as without it, so it left it out; "
                               "train it on the model that is served")
        except KenpinError:
            # If it cannot even be unloaded, it stays in the list as one that was not loaded here.
            with suppress(KenpinError):
                server.unload(kept.name)
                self._discard(kept)
            raise

    def _discard(self, kept: Kept) -> None:
        """Remove a copy unless another adapter is the same."""
        if all(one.sha256 != kept.sha256 for one in self._book().loaded):
            discard(self._kenpin.settings, kept.sha256)

    def _row(self, kept: Kept, book: Book, served: tuple[Served, ...]) -> AdapterRow:
        there = any(one.id == kept.name and one.root == str(self._copy(kept)) for one in served)
        other = any(one.id == kept.name for one in served)
        return AdapterRow(
            name=kept.name, state="served" if there else "other" if other else "lost",
            in_use=book.in_use == kept.name, folder=kept.folder, sha256=kept.sha256, rank=kept.rank, by=kept.by,
            at=kept.at)  # fmt: skip

    def _copy(self, kept: Kept) -> Path:
        return kept_folder(self._kenpin.settings) / kept.sha256

    def _known(self, name: str) -> Kept:
        kept = self._book().named(name)
        if kept is None:
            raise BadInput(f"no adapter {name[:80]!r} was loaded here; load it first")
        return kept

    def _server(self) -> AdapterServer:
        return AdapterServer(Line(self._kenpin.settings))

    def _book(self) -> Book:
        with self._kenpin.database.read() as connection:
            return read_book(connection)

    def _event(self, connection: Connection, actor: Actor, action: str, kept: Kept) -> None:
        self._kenpin.audit.append(connection, actor=actor.name, action=action, subject=f"adapter:{kept.name}",
                                  folder=kept.folder, sha256=kept.sha256)

    def _note(self, actor: Actor, action: str, name: str, **detail: object) -> None:
        with self._kenpin.database.write() as connection:
            self._kenpin.audit.append(connection, actor=actor.name, action=action, subject=f"adapter:{name}", **detail)
