"""The one place where concrete classes meet."""

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from agent.deciding import StandIn
from agent.inspector import Inspector
from agent.planners.table import absent, planner_named
from agent.policy import Limits
from agent.record import Recorder
from kenpin.adapters.using import AdapterInUse
from kenpin.cases.settling import Settler
from kenpin.config import Settings
from kenpin.contracts.case import CaseHit, CaseQuery
from kenpin.contracts.errors import FileRefused, KenpinError, StoreError, Unavailable
from kenpin.contracts.ports import Embedder
from kenpin.contracts.view import RgbImage
from kenpin.database.engine import Database, open_database
from kenpin.holding import Holds
from kenpin.products.store import FileProducts
from kenpin.review.book import Book
from kenpin.review.service import Reviews
from kenpin.review.verifying import Verifier
from kenpin.security.audit import ChainedAudit
from kenpin.security.checkpoints import CheckpointCipher, seal_plain
from kenpin.security.keyring import KeySource
from kenpin.security.people import People
from kenpin.security.vault import Vault, open_vault
from kenpin.traces.pictures import FilePictures
from kenpin.traces.records import DatabaseTraces
from kenpin.traces.takein import take_in

if TYPE_CHECKING:
    from langgraph.checkpoint.sqlite import SqliteSaver

    from kenpin.cases.chroma import ChromaCases

OWN = "kenpin-"
"""What the names of the embedders that come with Kenpin begin with."""

SEALED = "sealed"
"""Note of the case base that what lay plain in it was sealed."""

REBUILT_AT_ONCE = 500
"""Cases that are described anew without being asked for, at about 0.06 s each."""


@dataclass(frozen=True)
class Kenpin:
    """One installation: its settings, its stores, and inspectors over them."""

    settings: Settings
    console: bool = False
    """Whether this is the command line, whose user is trusted as one who holds the data folder and the key."""

    @cached_property
    def database(self) -> Database:
        """Records, people, audit log and data keys, its tables brought up to date.

        Raises:
            FileRefused: The file is no database, or the address cannot be understood.
            Unavailable: The server does not answer.
        """
        url = self.settings.database_url
        return open_database(url.get_secret_value() if url else None, folder=self.home)

    @cached_property
    def vault(self) -> Vault:
        """What seals pictures, traces and free text. A first key is made where nothing has been sealed yet.

        Raises:
            KeyRefused: The master key is missing, malformed, or not the one that sealed the records.
        """
        return open_vault(self.database, self.key_source)

    @property
    def key_source(self) -> KeySource:
        """Where the master key comes from."""
        key, new = self.settings.master_key, self.settings.new_master_key
        return KeySource(
            place=self.settings.key_file or self.home / "master.key",
            key=key.get_secret_value() if key else None,
            new=new.get_secret_value() if new else None,
        )

    @cached_property
    def audit(self) -> ChainedAudit:
        """The append-only log."""
        return ChainedAudit(self.database)

    @cached_property
    def people(self) -> People:
        """Accounts, sessions, and the guard that every action asks."""
        return People(self.database, self.audit, self.settings, console=self.console)

    @cached_property
    def reviews(self) -> Reviews:
        """Queue, decisions and signatures."""
        return Reviews(self.database, sealer=self.vault, traces=self.traces, pictures=self.pictures,
                       audit=self.audit, guard=self.people, settle=self.settle)

    @cached_property
    def verifier(self) -> Verifier:
        """Holds every record against what it must be."""
        return Verifier(self.database, self.vault, self.traces, self.pictures)

    @cached_property
    def pictures(self) -> FilePictures:
        """Pictures by sha256, sealed."""
        return FilePictures(self.home / "pictures", self.vault)

    @cached_property
    def traces(self) -> DatabaseTraces:
        """Finished and unfinished traces. Files of an earlier Kenpin are taken in."""
        traces = DatabaseTraces(self.database, self.vault, reviewed=Book(self.database, self.vault).follow)
        take_in(self.home / "traces", traces)
        return traces

    @cached_property
    def products(self) -> FileProducts:
        """Registered products with their samples."""
        return FileProducts(self.home / "products", self.pictures)

    @cached_property
    def cases(self) -> "ChromaCases":
        """Past cases: in a folder, or on a Chroma server if one is named. The bundled examples are in it.

        A few cases in this folder that an earlier Kenpin described are described anew at once; a larger or a shared
        case base waits for `kenpin cases rebuild`.
        """
        from kenpin.cases.bundle import load_bundled

        store = self.stored_cases
        ours = self.settings.chroma_host is None and not self.settings.embed_url
        if ours and (names := store.made_by_others()):
            ours = all(name.startswith(OWN) for name in {*names, self.embedder.name})
            if ours and len(store.all()) <= REBUILT_AT_ONCE:
                store.rebuild(self.pictures)
        if not store.noted(SEALED):
            store.seal_all()
            store.note(SEALED)
        load_bundled(store, self.pictures)
        # What cannot be taken in (a picture or key that retention deleted) hides no other case; doctor names it.
        with suppress(StoreError):
            Settler(self.database, self.vault, self.pictures, store).settle()
        return store

    @property
    def readable_cases(self) -> "ChromaCases":
        """The case base, as it was left where its embedding server is away: it can be listed and read then."""
        try:
            return self.cases
        except Unavailable:
            return self.stored_cases

    def settle(self) -> None:
        """Carry over at once what was just signed, if the case base is open here; its opening does it otherwise.

        A signature stands whatever becomes of it, so nothing is raised: what is owed stays on record.
        """
        if "cases" in self.__dict__:
            with suppress(KenpinError):
                self.settler.settle()

    @cached_property
    def settler(self) -> Settler:
        """Carries over what signatures and revocations owe the case base."""
        return Settler(self.database, self.vault, self.pictures, self.cases)

    @cached_property
    def stored_cases(self) -> "ChromaCases":
        """The case base as it was left, whoever described its cases."""
        from kenpin.cases.chroma import ChromaCases

        vault = self.vault  # asked for first: with a wrong key, nothing is made
        return ChromaCases(
            self.embedder,
            folder=self.home / "cases",
            host=self.settings.chroma_host,
            port=self.settings.chroma_port,
            sealer=vault,
        )

    @cached_property
    def embedder(self) -> Embedder:
        """Offline by default; a pooling server if one is named."""
        if self.settings.embed_url:
            from kenpin.cases.embed_server import ServerEmbedder

            key = self.settings.embed_key.get_secret_value() if self.settings.embed_key else None
            return ServerEmbedder(self.settings.embed_url, model=self.settings.embed_model, key=key,
                                  timeout_s=self.settings.embed_timeout)
        from kenpin.cases.embed_offline import OfflineEmbedder
        from tools.detection.backbone import WEIGHTS

        return OfflineEmbedder(WEIGHTS)

    def inspector(self, planner: str | None = None, *, fallback: bool = True) -> Inspector:
        """An inspector with the named planner, or the one of the settings.

        Args:
            planner: Its name.
            fallback: Let the planner that is configured to stand in take over turns whose planner is gone.
        """
        from tools.catalog import CATALOG, OFFERED

        name = planner or self.settings.planner
        other = self.settings.planner_fallback if fallback and self.settings.planner_fallback != name else None
        # The planner first: a server that does not answer is said before anything is opened or made.
        try:
            built = self.adapter.built_for(lambda settings: planner_named(name, settings, OFFERED), name)
        except Unavailable as exc:
            if other is None:
                raise
            built = absent(name, self.settings, exc)
        stand_in = StandIn(other, lambda named: planner_named(named, self.settings, OFFERED))
        limits = Limits(steps=self.settings.max_steps, seconds=self.settings.max_seconds)
        recorder = Recorder(tools=CATALOG, pictures=self.pictures, cases=LazyCases(self), limits=limits)
        return Inspector(planner=built, recorder=recorder, traces=self.traces, checkpointer=self.checkpointer(),
                         stand_in=stand_in)

    def checkpointer(self) -> "SqliteSaver":
        """Where the loop keeps its steps, sealed."""
        from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
        from langgraph.checkpoint.sqlite import SqliteSaver

        return SqliteSaver(self._checkpoints(), serde=EncryptedSerializer(CheckpointCipher(self.vault)))

    @cached_property
    def adapter(self) -> AdapterInUse:
        """The adapter that the planner `vllm` asks for."""
        return AdapterInUse(self.settings, lambda: self.database, lambda: self.audit)

    @cached_property
    def holds(self) -> Holds:
        """Locks of inspections whose turns run."""
        return Holds(self.home / "turns.lock")

    @cached_property
    def home(self) -> Path:
        """The data folder, made for its owner alone if it is not there.

        Raises:
            FileRefused: It cannot be made or is no folder.
        """
        try:
            self.settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise _unusable(self.settings.home, exc.strerror or str(exc)) from None
        return self.settings.home

    def seal_plain(self) -> tuple[int, int, list[str]]:
        """Seal the pictures and checkpoints that an earlier version left plain.

        Returns:
            How many of each there were, and what is wrong with pictures that stay as they are.
        """
        pictures, wrong = self.pictures.seal_plain()
        return pictures, seal_plain(self.home / "checkpoints.sqlite", CheckpointCipher(self.vault)), wrong

    def _checkpoints(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(self.home / "checkpoints.sqlite", check_same_thread=False, timeout=30)
            connection.execute("PRAGMA journal_mode=WAL")
            # NORMAL survives a killed process; only a power cut can cost the last step, which then runs again.
            connection.execute("PRAGMA synchronous=NORMAL")
        except sqlite3.Error as exc:
            raise _unusable(self.home, str(exc)) from None
        return connection


def _unusable(home: Path, reason: str) -> FileRefused:
    return FileRefused(f"the data folder {home} cannot be used ({reason}); set KENPIN_HOME to a writeable folder")


class LazyCases:
    """Opens the case base at the first search: it is heavy, and most turns never look into it."""

    def __init__(self, kenpin: Kenpin) -> None:
        self._kenpin = kenpin

    def search(
        self, query: CaseQuery, *, region: RgbImage | None = None, picture: RgbImage | None = None
    ) -> Sequence[CaseHit]:
        """As `CaseSearch.search`."""
        cases = self._kenpin.cases
        # Another process may have signed something since; a look at what is owed takes less than a millisecond.
        self._kenpin.settle()
        return cases.search(query, region=region, picture=picture)

    def count(self, query: CaseQuery) -> int:
        """How many cases pass the filters of a query."""
        return self._kenpin.cases.count(query)


def open_kenpin(settings: Settings, *, console: bool = False) -> Kenpin:
    """Open the installation that the settings describe, at the command line or behind a page."""
    return Kenpin(settings, console)


__all__ = ["Kenpin", "open_kenpin"]
