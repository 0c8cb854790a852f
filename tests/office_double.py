"""A house of records over any database: real stores, accounts and reviews; inspections made without a loop."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from kenpin.config import Settings
from kenpin.contracts.people import Actor, Proof, Role
from kenpin.contracts.review import Dossier, Entry, Meaning
from kenpin.contracts.trace import Answer, Finding, PlannerInfo, Step, Trace, TraceImage, Turn
from kenpin.contracts.verdict import Criteria, Criterion, Op, Verdict
from kenpin.database.engine import Database
from kenpin.review.book import Book
from kenpin.review.service import Reviews
from kenpin.review.verifying import Verifier
from kenpin.security.audit import ChainedAudit
from kenpin.security.credentials import Hasher
from kenpin.security.keyring import Keyring, new_key
from kenpin.security.people import People
from kenpin.security.vault import Vault
from kenpin.traces.pictures import FilePictures
from kenpin.traces.records import DatabaseTraces

PASSWORD = "a long enough password"
CONSOLE = Actor(name="console:root", roles=frozenset({Role.OPERATOR, Role.ADMINISTRATOR}), kind="console")
SCRATCH = Finding(id="f1", type="scratch", box=(20, 30, 60, 50), score=0.9, steps=(2,))
PIT = Finding(id="f2", type="pit", box=(100, 80, 120, 95), score=0.7, steps=(2,))
LIMITS = Criteria(product="panel", revision="B", source="panel.yaml",
                  limits=(Criterion(of="scratch", quantity="length", op=Op.LE, value=25, unit="mm"),))


@dataclass
class Office:
    """One installation without a loop and without pages."""

    database: Database
    folder: Path

    def __post_init__(self) -> None:
        self.vault = Vault(self.database, Keyring((new_key(),), "test"))
        self.audit = ChainedAudit(self.database)
        self.clock = [1_000_000.0]
        settings = Settings(home=self.folder)
        self.people = People(self.database, self.audit, settings, Hasher.for_tests(), console=True,
                             clock=lambda: self.clock[0])
        self.pictures = FilePictures(self.folder / "pictures")
        self.traces = DatabaseTraces(self.database, self.vault, reviewed=Book(self.database, self.vault).follow)
        self.settled: list[int] = []
        self.reviews = Reviews(self.database, sealer=self.vault, traces=self.traces, pictures=self.pictures,
                               audit=self.audit, guard=self.people, settle=lambda: self.settled.append(1))
        self.verifier = Verifier(self.database, self.vault, self.traces, self.pictures)

    def account(self, name: str, *roles: Role) -> Actor:
        """A person with an account, signed in."""
        self.people.accounts.add(CONSOLE, name, roles=roles or (Role.REVIEWER,), printed_name=name.title(),
                                 password=PASSWORD)
        return self.people.sign_in(name, PASSWORD)

    def inspection(self, *, verdict: Verdict | None = Verdict.NG, findings: tuple[Finding, ...] = (SCRATCH, PIT),
                   ended: bool = True, **more: Any) -> str:
        """An inspection on record; its id."""
        seed = int.from_bytes(secrets.token_bytes(2))
        pixels = np.random.default_rng(seed).integers(0, 255, (120, 160, 3), np.uint8)
        sha256 = self.pictures.put(pixels)
        answer = Answer(kind="answer", text="f1 is a scratch [2].", verdict=verdict, rule="no-finding",
                        findings=findings, cites=(2,))
        step = Step(n=1, tool="check_image", why="A verdict needs a good picture.", args={}, status="ok", ms=1.0,
                    result={"ok": True}, evidence=(sha256,))
        turn = Turn(say="Look for scratches.", steps=(step,), answer=answer if ended else None)
        trace = Trace.model_validate({
            "id": f"i-{secrets.token_hex(6)}", "created": datetime.now(UTC),
            "planner": PlannerInfo(backend="embedded", model="kenpin", prompt="store/1"),
            "images": (TraceImage(id="v0", role="subject", sha256=sha256, width=160, height=120),),
            "criteria": LIMITS, "turns": (turn,), "asker": "olga", **more})
        self.traces.save(trace)
        return trace.id

    def follow_up(self, inspection: str, *, by: str, verdict: Verdict) -> None:
        """One more turn."""
        trace = self.traces.load(inspection)
        answer = Answer(kind="answer", text="Again.", verdict=verdict, rule="no-finding")
        turns = (*trace.turns, Turn(say="And now?", by=by, answer=answer))
        self.traces.save(trace.model_copy(update={"turns": turns}))

    def open(self, actor: Actor, inspection: str) -> Dossier:
        """What the actor sees."""
        return self.reviews.dossier(actor, inspection)

    def sign(self, actor: Actor, inspection: str, meaning: Meaning = Meaning.APPROVED, *, password: str = PASSWORD,
             **more: Any) -> Entry:
        """Sign what is on record now."""
        seen = self.open(actor, inspection)
        given = {"head": seen.head, "content_sha256": seen.content_sha256 or "", **more}
        return self.reviews.sign(actor, inspection, meaning=meaning, proof=Proof(method="password", secret=password),
                                 **given)
