"""The case base in Chroma: in this process by default, or on a Chroma server."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from kenpin.cases.likeness import PARTS, Asked, Part, Vectors, describe_case, describe_query, ranked
from kenpin.contracts.case import Case, CaseHit, CaseQuery
from kenpin.contracts.errors import StoreError, Unavailable
from kenpin.contracts.ports import Embedder, PictureStore
from kenpin.contracts.view import RgbImage

Result = TypeVar("Result")

FOLDED_AWAY = 12
"""Times as many candidates are fetched as asked for, since a case has several vectors and a part several cases."""

FEWEST_CANDIDATES = 60

TIMEOUT_S = 20.0
"""A server that is silent for so long is taken as gone."""


class ChromaCases:
    """Implements `CaseStore`. Vectors are always made here by `embedder`, never by Chroma, and nothing is sent home.

    One collection for each part of a case (region, picture, words). The case itself lies as JSON with its picture
    vector. `host` and `port` name a server; without them the store lies in `folder`, in this process.
    """

    def __init__(self, embedder: Embedder, *, folder: Path | None = None, host: str | None = None,
                 port: int = 8000, name: str = "kenpin-cases") -> None:
        if folder is None and host is None:
            raise StoreError("the case base needs a folder, or the host of a Chroma server")
        self._embedder, self._folder, self._host, self._port, self._name = embedder, folder, host, port, name

    @cached_property
    def _client(self) -> Any:
        # Importing chromadb takes longer than everything else at start-up, so it waits for the first search.
        import chromadb
        from chromadb.config import Settings

        quiet = Settings(anonymized_telemetry=False)
        if self._host is None:
            assert self._folder is not None
            self._folder.mkdir(parents=True, exist_ok=True)
            return chromadb.PersistentClient(path=str(self._folder), settings=quiet)
        try:
            client = chromadb.HttpClient(host=self._host, port=self._port, settings=quiet)
        except (ValueError, OSError) as exc:
            raise self._unavailable() from exc
        for session in _sessions(client):
            session.timeout = TIMEOUT_S
        return client

    @cached_property
    def _stored(self) -> dict[Part, Any]:
        """The collections, whoever made their vectors: enough to read the cases themselves."""
        return {part: self._collection(part) for part in PARTS}

    @property
    def _collections(self) -> dict[Part, Any]:
        """The collections, for work with vectors."""
        if made_by := self.made_by_others():
            raise StoreError(f"the case base was made with embedder {made_by.pop()}, not {self._embedder.name}; "
                             "go back to it, or describe its cases anew with `kenpin cases rebuild`")
        return self._stored

    def made_by_others(self) -> set[str]:
        """Names of the embedders, other than this store's, that described its cases; such a store is only read."""
        collections = self._reached(lambda: self._stored).values()
        names = {str((stored.metadata or {}).get("embedder")) for stored in collections}
        return names - {self._embedder.name}

    def _collection(self, part: Part) -> Any:
        from chromadb.errors import NotFoundError

        name = f"{self._name}-{part}"
        try:
            return self._client.get_collection(name, embedding_function=None)
        except NotFoundError:
            return self._client.create_collection(
                name, embedding_function=None, configuration={"hnsw": {"space": "cosine"}},
                metadata={"embedder": self._embedder.name})

    def rebuild(self, pictures: PictureStore) -> int:
        """Describe every case anew with this store's embedder, from its stored picture, and return how many.

        All pictures are read before anything is taken away.

        Raises:
            StoreError: A picture is missing; nothing was changed.
        """
        cases = self.all()
        for case in cases:
            pictures.read_file(case.picture)
        self._reached(self._drop)
        for case in cases:
            self.add(case, pixels=pictures.get(case.picture))
        return len(cases)

    def _drop(self) -> None:
        for part in PARTS:
            self._client.delete_collection(f"{self._name}-{part}")
        del self._stored

    def add(self, case: Case, *, pixels: RgbImage) -> None:
        """Add or replace a case by its id; `pixels` is the whole picture."""
        vectors = describe_case(self._embedder, case, pixels)
        about = {"case": case.id, "product": case.product, "defect_type": case.defect_type,
                 "disposition": case.disposition, "part": case.part or ""}

        def store() -> None:
            # The picture's record goes last: it makes the case exist, so an interrupted `add` leaves none half there.
            if self._collections["picture"].get(ids=[case.id], include=[])["ids"]:
                self._forget(case.id)
            for part in ("region", "words", "picture"):
                ids = [f"{case.id}#{i}" for i in range(len(vectors[part]))] if part != "picture" else [case.id]
                self._collections[part].upsert(
                    ids=ids, embeddings=vectors[part], metadatas=[about] * len(ids),
                    documents=[case.model_dump_json() if part == "picture" else case.id] * len(ids))

        self._reached(store)

    def remove(self, case_id: str) -> None:
        """Withdraw a case; one that is not there is no error."""
        self._reached(lambda: self._forget(case_id))

    def _forget(self, case_id: str) -> None:
        for part in PARTS[1], PARTS[0], PARTS[2]:
            self._stored[part].delete(where={"case": case_id})

    def get(self, case_id: str) -> Case:
        """One case."""
        found = self._reached(lambda: self._stored["picture"].get(ids=[case_id], include=["documents"]))
        if not found["ids"]:
            raise StoreError(f"there is no case {case_id}; `kenpin cases list` shows all")
        return Case.model_validate_json(found["documents"][0])

    def all(self) -> Sequence[Case]:
        """Every case, by id."""
        found = self._reached(lambda: self._stored["picture"].get(include=["documents"]))
        return sorted((Case.model_validate_json(text) for text in found["documents"]), key=lambda case: case.id)

    def count(self, query: CaseQuery) -> int:
        """How many cases pass the filters of a query."""
        return len(self._reached(lambda: self._stored["picture"].get(where=_where(query), include=[]))["ids"])

    def search(self, query: CaseQuery, *, region: RgbImage | None = None,
               picture: RgbImage | None = None) -> Sequence[CaseHit]:
        """Best cases first. Chroma finds the candidates; likeness is then computed exactly, as in every store."""
        asked = describe_query(self._embedder, query, region=region, picture=picture)
        return self._reached(lambda: ranked(self._candidates(asked, query), asked, query, self._embedder))

    def _candidates(self, asked: Asked, query: CaseQuery) -> Iterable[tuple[Case, dict[Part, Vectors]]]:
        ids: set[str] = set()
        where = _where(query)
        for part, vectors in asked.given():
            ids |= self._near(part, vectors, where, query.k)
        if asked.given() and not ids:
            return
        chosen = self._collections["picture"].get(
            **({"ids": sorted(ids)} if asked.given() else {"where": where}), include=["documents", "embeddings"])
        # The region is always fetched: two cases are copies only if their defects are.
        wanted = {part for part, _ in asked.given()} | {"region"}
        others = {part: self._vectors(part, chosen["ids"]) for part in PARTS if part in wanted - {"picture"}}
        for case_id, text, vector in zip(chosen["ids"], chosen["documents"], chosen["embeddings"], strict=True):
            vectors_of: dict[Part, Vectors] = {part: found[case_id] for part, found in others.items()}
            vectors_of["picture"] = np.asarray(vector, dtype=np.float32)[None]
            yield Case.model_validate_json(text), vectors_of

    def _near(self, part: Part, vectors: Vectors, where: dict[str, Any] | None, k: int) -> set[str]:
        """Ids of the nearest cases, of at least `k` parts if there are as many."""
        collection = self._collections[part]
        stored, wanted = collection.count(), max(FEWEST_CANDIDATES, FOLDED_AWAY * k)
        while stored:
            found = collection.query(query_embeddings=vectors, n_results=min(wanted, stored), where=where,
                                     include=["metadatas"])["metadatas"][0]
            if len({about["part"] or about["case"] for about in found}) >= k or wanted >= stored:
                return {str(about["case"]) for about in found}
            wanted *= 4
        return set()

    def _vectors(self, part: Part, case_ids: Sequence[str]) -> dict[str, Vectors]:
        found = self._collections[part].get(
            where={"case": {"$in": list(case_ids)}}, include=["embeddings", "metadatas"])
        grouped: dict[str, list[Any]] = {case_id: [] for case_id in case_ids}
        for _, about, vector in sorted(zip(found["ids"], found["metadatas"], found["embeddings"], strict=True),
                                       key=lambda one: one[0]):
            grouped[str(about["case"])].append(vector)
        return {case_id: np.asarray(vectors, dtype=np.float32) for case_id, vectors in grouped.items()}

    def close(self) -> None:
        """Let go of files and sockets. A store that was never used has none."""
        if "_client" in self.__dict__:
            sessions = _sessions(self._client)
            self._client.close()
            for session in sessions:
                session.close()

    def _reached(self, work: Callable[[], Result]) -> Result:
        """Run `work` and turn a lost server into one line."""
        import httpx

        try:
            return work()
        except (httpx.HTTPError, ConnectionError) as exc:
            raise self._unavailable() from exc

    def _unavailable(self) -> Unavailable:
        return Unavailable(f"no Chroma server answers at {self._host}:{self._port}; start one with "
                           f"`chroma run --path DIR --port {self._port}` or use the case base in a folder")


def _sessions(client: Any) -> list[Any]:
    """The HTTP sessions of a client. Chroma 1.5 waits on them forever, and its own `close` leaves them open."""
    holders = (client, getattr(client, "_admin_client", None))
    found = (getattr(getattr(holder, "_server", None), "_session", None) for holder in holders)
    return [session for session in found if session is not None]


def _where(query: CaseQuery) -> dict[str, Any] | None:
    """The filters in Chroma's words."""
    wanted: list[dict[str, Any]] = [{key: value} for key in ("product", "defect_type", "disposition")
                                    if (value := getattr(query, key)) is not None]
    if query.exclude_part is not None:
        wanted.append({"part": {"$ne": query.exclude_part}})
    return None if not wanted else wanted[0] if len(wanted) == 1 else {"$and": wanted}
