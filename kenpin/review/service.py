"""Reviews from outside: each call names who acts, is checked against stored roles, and is one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from kenpin.contracts.errors import BadInput, Conflict
from kenpin.contracts.people import Actor, Proof, Right
from kenpin.contracts.ports import AuditLog, Guard, PictureStore, Sealer, TraceStore
from kenpin.contracts.review import (
    Act,
    Comment,
    Dossier,
    Entry,
    Judgement,
    Meaning,
    QueueFilter,
    QueuePage,
    Revocation,
    Rules,
    Severity,
    Signature,
    State,
    VerdictChange,
)
from kenpin.contracts.trace import Trace, finished, pictures_of, trace_sha256
from kenpin.contracts.verdict import Verdict
from kenpin.contracts.view import Box
from kenpin.database.engine import Database
from kenpin.database.tables import inspections
from kenpin.review import making
from kenpin.review.blind import hides, redacted
from kenpin.review.book import Book, expect_head
from kenpin.review.content import content_sha256
from kenpin.review.folding import decided, standing, state_of
from kenpin.review.outbox import Outbox
from kenpin.review.publishing import cases_of
from kenpin.review.queue import queue_page
from kenpin.review.rulebook import all_rules, put_rules, rules_for


@dataclass(frozen=True)
class Choices:
    """What the queue can be filtered by."""

    products: tuple[str, ...]
    lots: tuple[str, ...]
    planners: tuple[str, ...]
    askers: tuple[str, ...]


class Reviews:
    """The reviews of one installation.

    Every act takes `head`, the number of the last entry that the person saw: if somebody has written since, `Conflict`
    is raised and nothing is changed. All of them raise `NotAllowed` or `SignInRefused` by the guard, `Locked` on a
    signed record, `StoreError` for an inspection that is not there, and `BadInput` for values that cannot be.
    """

    def __init__(self, database: Database, *, sealer: Sealer, traces: TraceStore, pictures: PictureStore,
                 audit: AuditLog, guard: Guard, settle: Callable[[], object] = lambda: None) -> None:
        """`settle` is called after a signature or a revocation is on record, to bring the case store up to date."""
        self._database, self._traces, self._pictures = database, traces, pictures
        self._audit, self._guard, self._settle = audit, guard, settle
        self._book = Book(database, sealer)
        self._outbox = Outbox(sealer)

    def queue(self, actor: Actor, wanted: QueueFilter | None = None) -> QueuePage:
        """One page of the queue: uncertain and disagreements first, then ng, then ok, the oldest of each first."""
        self._guard.check(actor, Right.READ)
        with self._database.read() as connection:
            return queue_page(connection, wanted or QueueFilter(), reader=actor.name, person=actor.person,
                              reviews=Right.REVIEW in actor.rights)

    def choices(self, actor: Actor) -> Choices:
        """The values that there are to filter by."""
        self._guard.check(actor, Right.READ)
        columns = (inspections.c.product, inspections.c.lot, inspections.c.planner, inspections.c.asker)
        with self._database.read() as connection:
            found = [
                tuple(connection.execute(
                    select(column).where(column.is_not(None)).distinct().order_by(column).limit(500)).scalars())
                for column in columns
            ]
        return Choices(*found)

    def dossier(self, actor: Actor, inspection: str) -> Dossier:
        """Everything about one inspection that the actor may see."""
        self._guard.check(actor, Right.READ)
        trace = self._traces.load(inspection)
        with self._database.read() as connection:
            reading = self._book.read(connection, inspection)
            rules = rules_for(connection, trace.product)
        return self._dossier(trace, reading.entries, rules, actor)

    def judge(self, actor: Actor, inspection: str, *, head: int, verdict: Verdict, why: str = "") -> Entry:
        """Give one's own verdict; under blind review this opens the proposal. Possible for the second signer too."""

        def make(seen: Dossier) -> Act:
            return Judgement(verdict=verdict, why=why.strip(), blind=seen.hidden)

        return self._write(actor, inspection, head, make, action="review.judged", half_signed=True, blind=True)

    def accept(self, actor: Actor, inspection: str, finding: str, *, head: int, severity: Severity | None = None,
               why: str = "") -> Entry:
        """Agree with a finding."""
        return self._write(actor, inspection, head, lambda seen: making.accepted(
            seen, finding, severity=severity, why=why), action="review.ruled")

    def correct(self, actor: Actor, inspection: str, finding: str, *, head: int, type: str | None = None,
                box: Box | None = None, severity: Severity | None = None, why: str = "") -> Entry:
        """Correct a finding's type, box (pixels of the original upload) or severity; what is None stays."""
        return self._write(actor, inspection, head, lambda seen: making.corrected(
            seen, finding, kind=type, box=box, severity=severity, why=why), action="review.ruled")

    def false_alarm(self, actor: Actor, inspection: str, finding: str, *, head: int, why: str = "") -> Entry:
        """Say that a finding is none."""
        return self._write(actor, inspection, head, lambda seen: making.false_alarm(seen, finding, why=why),
                           action="review.ruled")

    def add_missed(self, actor: Actor, inspection: str, *, head: int, type: str, box: Box,
                   severity: Severity | None = None, why: str = "") -> Entry:
        """Add a defect that Kenpin missed; `box` in pixels of the original upload."""
        return self._write(actor, inspection, head, lambda seen: making.missed(
            seen, kind=type, box=box, severity=severity, why=why), action="review.ruled")

    def change_verdict(self, actor: Actor, inspection: str, *, head: int, verdict: Verdict, why: str, cause: str = "",
                       disposition: str = "") -> Entry:
        """Set the part's verdict with a reason, the defect's cause and what is done with the part."""
        if not why.strip():
            raise BadInput("a changed verdict needs a reason; write why")

        def make(seen: Dossier) -> Act:
            return VerdictChange(old=seen.decision.verdict, verdict=verdict, why=why.strip(), cause=cause.strip(),
                                 disposition=disposition.strip())

        return self._write(actor, inspection, head, make, action="review.verdict")

    def comment(self, actor: Actor, inspection: str, *, head: int, text: str) -> Entry:
        """Add a remark."""
        if not text.strip():
            raise BadInput("the comment is empty; write something")
        return self._write(actor, inspection, head, lambda _: Comment(text=text.strip()), action="review.commented")

    def amend(self, actor: Actor, inspection: str, *, head: int, why: str) -> Entry:
        """Open a signed record for changes. Its signatures stay on record and stand no longer."""
        self._guard.check(actor, Right.SIGN)
        if not why.strip():
            raise BadInput("an amendment needs a reason; write why")
        return self._write(actor, inspection, head, lambda seen: making.amendment(seen, why=why),
                           action="record.amended", right=Right.SIGN, closed=True)

    def sign(self, actor: Actor, inspection: str, *, head: int, meaning: Meaning, proof: Proof,
             content_sha256: str) -> Entry:
        """Sign what the dossier shows.

        Args:
            actor: Who signs.
            inspection: Id.
            head: `Dossier.head`.
            meaning: What the signature says.
            proof: The password again, or a fresh sign-in at the provider.
            content_sha256: `Dossier.content_sha256`: exactly what the person saw.
        Raises:
            Conflict: What would be signed is not what was seen.
            StoreError: A picture is missing or is not the one that was stored.
        """
        self._guard.check(actor, Right.SIGN)
        printed = self._guard.prove(actor, proof)
        for sha256 in pictures_of(self._traces.load(inspection)):
            self._pictures.read_file(sha256)
        entry = self._write(actor, inspection, head, lambda seen: making.signature(
            actor, seen, meaning, content_sha256=content_sha256, method=proof.method, printed_name=printed),
            action="record.signed", right=Right.SIGN, closed=True)
        self._settle()
        return entry

    def revoke(self, actor: Actor, inspection: str, n: int, *, head: int, why: str, proof: Proof) -> Entry:
        """Take back one's own signature, entry `n`; the cases that rest on it are withdrawn."""
        self._guard.check(actor, Right.SIGN)
        if not why.strip():
            raise BadInput("a revocation needs a reason; write why")
        self._guard.prove(actor, proof)
        entry = self._write(actor, inspection, head, lambda seen: making.revocation(actor, seen, n, why=why),
                            action="record.revoked", right=Right.SIGN, closed=True)
        self._settle()
        return entry

    def rules(self, actor: Actor, product: str | None = None) -> Rules:
        """The rules that hold for a product."""
        self._guard.check(actor, Right.READ)
        with self._database.read() as connection:
            return rules_for(connection, product)

    def all_rules(self, actor: Actor) -> tuple[Rules, ...]:
        """Every rule on record, the general one ("") first."""
        self._guard.check(actor, Right.READ)
        with self._database.read() as connection:
            return all_rules(connection)

    def set_rules(self, actor: Actor, rules: Rules) -> None:
        """Set a product's rules. Inspections that are signed already stay as they are."""
        self._guard.check(actor, Right.PRODUCTS)
        with self._database.write() as connection:
            old = put_rules(connection, rules)
            self._audit.append(
                connection, actor=actor.name, action="rules.set", subject=f"product:{rules.product}",
                old=old.model_dump(mode="json", exclude={"product"}) if old else None,
                new=rules.model_dump(mode="json", exclude={"product"}))

    def _write(self, actor: Actor, inspection: str, head: int, make: Callable[[Dossier], Act], *, action: str,
               right: Right = Right.REVIEW, closed: bool = False, half_signed: bool = False,
               blind: bool = False) -> Entry:
        """Add one entry, in one transaction with its audit event, the queue's row and what the case store is owed.

        Args:
            make: Makes the act from what is on record, or refuses.
            closed: The act is one for signed records.
            half_signed: The act is possible on a record that waits for its second signature.
            blind: The act is possible while the proposal is hidden.
        """
        self._guard.check(actor, right)
        trace = self._traces.load(inspection)
        with self._database.write() as connection:
            reading = self._book.read(connection, inspection, to_write=True)
            expect_head(reading, head)
            if reading.row.trace_sha256 != trace_sha256(trace):
                raise Conflict(f"inspection {inspection} has gone on since you opened it; look at it again")
            seen = self._dossier(trace, reading.entries, rules_for(connection, trace.product), actor)
            making.check_open(seen, trace, closed=closed, half_signed=half_signed)
            if seen.hidden and not blind:
                raise BadInput("this product is reviewed blind; give your own judgement first")
            act = make(seen)
            entry = self._book.append(connection, reading, act, by=actor.name)
            self._take_in(connection, trace, (*reading.entries, entry))
            self._audit.append(connection, actor=actor.name, action=action, subject=f"inspection:{inspection}",
                               n=entry.n, entry=entry.sha256, **making.told(act))
        return entry

    def _take_in(self, connection: Connection, trace: Trace, entries: Sequence[Entry]) -> None:
        """Bring row, signed trace and the case store's outbox up to date with the newest entry."""
        decision, state = self._book.summarise(connection, trace, entries)
        act = entries[-1].act
        if isinstance(act, Signature):
            self._book.keep_signed(connection, trace, entries[-1].n)
        if isinstance(act, Signature | Revocation):
            # An amendment alone takes nothing back: until it is signed, the case stands as it was signed.
            cases = cases_of(trace, decision, standing(entries)) if state is State.SIGNED else ()
            self._outbox.put(connection, trace.id, cases)

    def _dossier(self, trace: Trace, entries: Sequence[Entry], rules: Rules, actor: Actor) -> Dossier:
        decision, state = decided(trace, entries), state_of(trace, entries)
        seen = Dossier(
            trace=trace,
            entries=tuple(entries),
            decision=decision,
            state=state,
            signatures=standing(entries),
            needed=2 if rules.two_person else 1,
            rules=rules,
            head=len(entries),
            hidden=False,
            content_sha256=content_sha256(trace, decision) if finished(trace) else None,
            asker=trace.asker,
        )
        return redacted(seen, actor) if hides(seen, actor) else seen
