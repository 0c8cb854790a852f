"""The case base in Chroma: in this process by default, or on a Chroma server."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

from kenpin.cases.connection import Connection
from kenpin.cases.describing import described
from kenpin.cases.index import CaseIndex
from kenpin.cases.likeness import PARTS, Part, Vectors, describe_case, describe_query, folded
from kenpin.cases.packing import packed, unpacked
from kenpin.cases.prints import made_with, objection
from kenpin.cases.scrub import scrub
from kenpin.cases.sealing import Reader, head_of, is_plain
from kenpin.contracts.case import Case, CaseHead, CaseHit, CaseQuery
from kenpin.contracts.errors import StoreError
from kenpin.contracts.ports import Embedder, PictureStore, Sealer
from kenpin.contracts.view import RgbImage

BATCH = 200
"""Cases that are written, or read with their vectors, at a time; a case is about 10 kB."""

PLACEHOLDER = [1.0, 0.0]
"""Chroma wants a vector with each record. Its own index is not used: see `ChromaCases`."""

Described = tuple[Case, Mapping[Part, Vectors]]


class ChromaCases:
    """Implements `CaseStore`. Vectors are made here by `embedder`, never by Chroma, and nothing is sent home.

    Two collections: `texts` holds one record a case, its text sealed if there is a `sealer`; `vectors` its vectors,
    packed. Searches look at all vectors in an index in this process (`CaseIndex`), so they are exact, and quicker than
    by Chroma's own index, which two processes on one folder break for each other (Chroma 1.5: `Error finding id`).
    What other processes write is taken in at the next search. `host` and `port` name a server; without them the store
    lies in `folder`, in this process.
    """

    def __init__(self, embedder: Embedder, *, folder: Path | None = None, host: str | None = None, port: int = 8000,
                 name: str = "kenpin-cases", sealer: Sealer | None = None) -> None:
        self._at = Connection(folder, host, port)
        self._embedder, self._name = embedder, name
        self._reader = Reader(sealer)
        self._index: CaseIndex[Mapping[str, Any]] = CaseIndex(embedder)
        self._stamps: dict[str, str] = {}
        self._seen = ""
        self._agreed: str | None = None

    @cached_property
    def _texts(self) -> Any:
        # An embedder on a server is not asked for its name where cases are only read.
        return self._at.found(at := f"{self._name}-texts") or self._at.made(at, **made_with(self._embedder))

    @cached_property
    def _vectors(self) -> Any:
        return self._at.made(f"{self._name}-vectors", holds="packed vectors")

    def made_by_others(self) -> set[str]:
        """Names of the embedders, other than this store's, that described its cases; such a store is only read."""
        old = self._at.within(self._earlier)
        names = {self.described_by} - {self._embedder.name}
        return names | ({f"{(old.metadata or {}).get('embedder')} of an earlier Kenpin"} if old is not None else set())

    def _earlier(self) -> Any | None:
        """The collection in which an earlier Kenpin kept the texts of its cases."""
        return self._at.found(f"{self._name}-picture")

    @property
    def described_by(self) -> str:
        """Name of the embedder that described the cases, as the case base notes it."""
        return str(self._at.within(lambda: self._about({})).get("embedder"))

    def objection(self) -> str | None:
        """Why this store's embedder may neither search nor add; None if it may."""
        return self._at.within(lambda: objection(self._about({}), self.made_by_others(), self._embedder))

    def _checked(self) -> None:
        if said := self.objection():
            raise StoreError(said)
        self._agreed = made_with(self._embedder).get("fingerprint")

    def rebuild(self, pictures: PictureStore) -> int:
        """Describe every case anew with this store's embedder, from its stored picture, and return how many.

        All pictures are read before anything is changed; killed in between, it is run again, and nothing is searched
        until then. Several cases are described at once where the embedder can (`parallel`).

        Raises:
            StoreError: A picture is missing; nothing was changed.
            Unavailable: The embedding server does not answer; run it again.
        """
        cases = self.all()
        for case in cases:
            pictures.read_file(case.picture)
        waiting = described(self._embedder, cases, pictures)
        while batch := list(islice(waiting, BATCH)):
            self._at.within(self._begin)
            self._write(batch)
        self._at.within(self._finish)
        return len(cases)

    def _begin(self) -> None:
        """From here on, vectors of two embedders may lie beside each other."""
        if not made_with(self._embedder).items() <= self._about({}).items():
            self._about({"rebuilding": "yes"})

    def _finish(self) -> None:
        """The embedder's name, and what an earlier Kenpin kept, go last: until then the case base is the old one."""
        self._at.changing()
        self._about({"rebuilding": "", "fingerprint": "", **made_with(self._embedder)})
        for part in PARTS:
            self._at.drop(f"{self._name}-{part}")
        if self._at.folder is not None and self._reader.sealer is not None:
            scrub(self._at.folder)
        self._seen, self._stamps = "", {}

    def seal_all(self) -> int:
        """Seal what lies plain, without describing it anew, and return how many there were; none without a key."""
        if self._reader.sealer is None:
            return 0
        records = self._at.within(lambda: self._records(earlier=False)).values()
        sealed = [self._reader.record(self._reader.case(record), str(record["stamp"]))
                  for record in records if is_plain(record)]
        if sealed:
            self._at.within(lambda: self._swap(sealed))
        return len(sealed)

    def _swap(self, sealed: Sequence[dict[str, Any]]) -> None:
        self._at.changing()
        self._put_texts(sealed)
        self._at.tidied()
        if self._at.folder is not None:
            scrub(self._at.folder)

    def add(self, case: Case, *, pixels: RgbImage) -> None:
        """Add or replace a case by its id; `pixels` is the whole picture."""
        self.add_described([(case, describe_case(self._embedder, case, pixels))])

    def add_described(self, cases: Iterable[Described]) -> None:
        """Add or replace many cases whose vectors are known already, as `describe_case` makes them."""
        self._at.within(self._checked)
        waiting = iter(cases)
        while batch := list(islice(waiting, BATCH)):
            self._write(batch)

    def _write(self, batch: Sequence[Described]) -> None:
        last = {case.id: (case, vectors) for case, vectors in batch}
        records = [self._reader.record(case, uuid4().hex) for case, _ in last.values()]
        blobs = [packed(vectors) for _, vectors in last.values()]
        self._at.within(lambda: self._put(records, blobs, [vectors for _, vectors in last.values()]))

    def _put(self, records: Sequence[dict[str, Any]], blobs: Sequence[str],
             vectors: Sequence[Mapping[Part, Vectors]]) -> None:
        """The text goes last: it makes the case exist, so an interrupted `add` leaves none half there."""
        current = self._is_current()
        ids = [record["case"] for record in records]
        version = self._at.changing()
        self._vectors.upsert(ids=ids, embeddings=[PLACEHOLDER] * len(ids),
                             metadatas=[{"packed": blob} for blob in blobs])
        self._put_texts(records)
        for record, known in zip(records, vectors, strict=True):
            self._index.put(head_of(record), record, known)
            self._stamps[record["case"]] = record["stamp"]
        self._noted(version, current=current)

    def _put_texts(self, records: Sequence[dict[str, Any]]) -> None:
        """Each record says everything anew, so that an upsert leaves nothing of an older one."""
        self._texts.upsert(
            ids=[record["case"] for record in records], embeddings=[PLACEHOLDER] * len(records),
            metadatas=[{key: value for key, value in record.items() if key != "plain"} for record in records],
            documents=[record.get("plain", record["case"]) for record in records])

    def remove(self, case_id: str) -> None:
        """Withdraw a case; one that is not there is no error."""
        def forget() -> None:
            current = self._is_current()
            version = self._at.changing()
            if (old := self._earlier()) is not None:
                old.delete(ids=[case_id])
            self._texts.delete(ids=[case_id])
            self._vectors.delete(ids=[case_id])
            self._index.drop(case_id)
            self._stamps.pop(case_id, None)
            self._noted(version, current=current)

        self._at.within(forget)

    def get(self, case_id: str) -> Case:
        """One case."""
        found = self._at.within(lambda: self._records([case_id]))
        if case_id not in found:
            raise StoreError(f"there is no case {case_id}; `kenpin cases list` shows all")
        return self._reader.case(found[case_id])

    def all(self) -> Sequence[Case]:
        """Every case, by id."""
        found = self._at.within(self._records)
        return [self._reader.case(found[case_id]) for case_id in sorted(found)]

    def heads(self) -> Sequence[CaseHead]:
        """What is kept readable of every case, by id."""
        with self._at.mutex:
            if self._is_current():
                return [kept.head for kept in self._index.all()]
        found = self._at.within(self._records)
        return [head_of(found[case_id]) for case_id in sorted(found)]

    def note(self, what: str) -> None:
        """Keep a note with the store, for every process."""
        self._at.within(lambda: self._about({f"note:{what}": "yes"}))

    def noted(self, what: str) -> bool:
        """Whether there is this note."""
        return f"note:{what}" in self._at.within(lambda: self._about({}))

    def _about(self, new: dict[str, str]) -> dict[str, Any]:
        """What is known of the whole case base, after adding to it."""
        about = {**((self._at.found(f"{self._name}-texts") or self._texts).metadata or {}), **new}
        if new:
            self._texts.modify(metadata=about)
        return about

    def _records(self, ids: Sequence[str] | None = None, *, earlier: bool = True) -> dict[str, Mapping[str, Any]]:
        """Records by id; those of an earlier Kenpin first, so that what was described anew comes instead."""
        records: dict[str, Mapping[str, Any]] = {}
        wanted = {"ids": list(ids)} if ids is not None else {}
        for stored in (self._earlier() if earlier else None, self._texts):
            if stored is not None:
                found = stored.get(**wanted, include=["metadatas", "documents"])
                records |= {case_id: {"stamp": "", **about, "plain": text} for case_id, about, text
                            in zip(found["ids"], found["metadatas"], found["documents"], strict=True)}
        return records

    def count(self, query: CaseQuery) -> int:
        """How many cases pass the filters of a query."""
        with self._at.mutex:
            return self._fresh().count(query)

    def search(self, query: CaseQuery, *, region: RgbImage | None = None,
               picture: RgbImage | None = None) -> Sequence[CaseHit]:
        """Best cases first. Only what is shown, or may be another exposure of what is shown, is unsealed."""
        asked = describe_query(self._embedder, query, region=region, picture=picture)
        with self._at.mutex:
            self._same_weights()
            found = ((score, self._reader.case(kept.body), kept.vectors)
                     for score, kept in self._fresh().ordered(asked, query))
            return folded(found, asked, query.k, self._embedder)

    def _same_weights(self) -> None:
        """A server may have come back with other weights since the case base was last held against them."""
        if self._agreed is not None and self._agreed != made_with(self._embedder).get("fingerprint"):
            self._at.within(self._checked)

    def _fresh(self) -> CaseIndex[Mapping[str, Any]]:
        """The index, with everything that other processes have changed."""
        if not self._is_current():
            self._at.within(self._take_in)
        return self._index

    def _is_current(self) -> bool:
        return bool(self._seen) and self._seen == self._version()

    def _version(self) -> str:
        if self._at.folder is not None:
            return self._at.version()
        return self._at.within(lambda: f"{self._about({}).get('version')} {self._texts.count()}")

    def _noted(self, version: str, *, current: bool) -> None:
        """After a write of this process: what it knew before is still all there is, or it has to look again."""
        self._at.tidied()
        if self._at.folder is not None:
            self._seen = version if current else ""
            return
        # On a server another process may write at the same moment, so everything is looked at again.
        self._about({"version": version})
        self._seen = ""

    def _take_in(self) -> None:
        """Compare what is stored with the index by the stamps of the records, and read what differs."""
        self._checked()
        version = self._version() or (self._at.changing() if self._at.folder is not None else "")
        records = self._records()
        for case_id in self._stamps.keys() - records.keys():
            self._index.drop(case_id)
            del self._stamps[case_id]
        changed = [key for key, record in records.items() if self._stamps.get(key) != record["stamp"]]
        for at in range(0, len(changed), BATCH):
            found = self._vectors.get(ids=changed[at:at + BATCH], include=["metadatas"])
            for case_id, about in zip(found["ids"], found["metadatas"], strict=True):
                self._index.put(head_of(records[case_id]), records[case_id], unpacked(str(about["packed"])))
                self._stamps[case_id] = str(records[case_id]["stamp"])
        self._seen = version

    def close(self) -> None:
        """Let go of files and sockets. A store that was never used has none."""
        self._at.close()
