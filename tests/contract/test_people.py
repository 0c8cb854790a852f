"""Accounts, sign-in, sessions and the guard, on each database."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from kenpin.config import Settings
from kenpin.contracts.errors import BadInput, Conflict, NotAllowed, SignInRefused
from kenpin.contracts.people import RIGHTS, Actor, Proof, Right, Role
from kenpin.database.engine import Database
from kenpin.database.tables import audit, sessions, users
from kenpin.security.attempts import REFUSED, lock_minutes
from kenpin.security.audit import ChainedAudit
from kenpin.security.credentials import Hasher
from kenpin.security.oidc import signed_in_elsewhere
from kenpin.security.people import GUEST, People

WORDS = "four unrelated words here"
OTHERS = "five other unrelated words"
CONSOLE = Actor(name="console:root", roles=frozenset({Role.OPERATOR, Role.ADMINISTRATOR}), kind="console")
ISSUER = "https://id.example.com"


@pytest.fixture
def office(database: Database) -> SimpleNamespace:
    """Accounts `ann` (administrator), `rei` (reviewer), `ope` (operator) and `aud` (auditor), and a clock."""
    clock = SimpleNamespace(now=1_800_000_000.0)
    log, given = ChainedAudit(database), Settings(home=Path(), session_minutes=30, session_hours=12)
    def opened(**more: Any) -> People:
        return People(database, log, given, Hasher.for_tests(), clock=lambda: clock.now, **more)
    console = opened(console=True)
    for name, role in (("ann", "administrator"), ("rei", "reviewer"), ("ope", "operator"), ("aud", "auditor")):
        console.accounts.add(CONSOLE, name, roles=[Role(role)], printed_name=f"{name.title()} Example", password=WORDS)
    return SimpleNamespace(people=opened(), console=console, clock=clock, log=log, database=database)


def events(office: SimpleNamespace) -> list[tuple[str, str, str]]:
    return [(e.actor, e.action, e.subject) for e in reversed(office.log.events())]


def forged(actor: Actor, **changes: Any) -> Actor:
    return actor.model_copy(update=changes)


def test_signing_in_gives_the_stored_roles_and_a_session(office: SimpleNamespace) -> None:
    actor = office.people.sign_in("ＲＥＩ", WORDS)
    assert (actor.name, actor.roles, actor.kind) == ("rei", {Role.REVIEWER}, "account")
    assert office.people.actor(actor.session) == actor
    assert office.people.own(actor).printed_name == "Rei Example"
    assert events(office)[-1] == ("rei", "user.signed_in", "user:rei")


@pytest.mark.parametrize("role", Role)
def test_a_right_is_had_by_role_only(office: SimpleNamespace, role: Role) -> None:
    names = {Role.ADMINISTRATOR: "ann", Role.REVIEWER: "rei", Role.OPERATOR: "ope", Role.AUDITOR: "aud"}
    actor = office.people.sign_in(names[role], WORDS)
    for right in Right:
        if right in RIGHTS[role]:
            office.people.check(actor, right)
        else:
            with pytest.raises(NotAllowed, match="it takes the role"):
                office.people.check(actor, right)
            assert events(office)[-1] == (actor.name, "user.not_allowed", f"user:{actor.name}")


def test_forged_actors_are_refused(office: SimpleNamespace) -> None:
    operator, reviewer = office.people.sign_in("ope", WORDS), office.people.sign_in("rei", WORDS)
    for actor in (
        forged(operator, roles=frozenset(Role)),
        forged(operator, roles=frozenset({Role.REVIEWER})),
        forged(operator, name="rei", roles=reviewer.roles),
        forged(reviewer, session=None),
        forged(reviewer, session=""),
        forged(reviewer, session="A" * 43),
        forged(reviewer, kind="console", name="console:root", roles=CONSOLE.roles),
        forged(reviewer, kind="guest"),
        CONSOLE, GUEST, forged(GUEST, roles=frozenset(Role)),
    ):
        for right in (Right.READ, Right.SIGN, Right.USERS):
            with pytest.raises(SignInRefused):
                office.people.check(actor, right)
    office.people.check(reviewer, Right.SIGN)


def test_the_console_is_one_only_where_it_is_opened_as_one(office: SimpleNamespace) -> None:
    office.console.check(CONSOLE, Right.USERS)
    with pytest.raises(NotAllowed):
        office.console.check(CONSOLE, Right.SIGN)
    with pytest.raises(SignInRefused):
        office.console.check(forged(CONSOLE, roles=frozenset(Role)), Right.SIGN)
    with pytest.raises(SignInRefused):
        office.console.check(forged(CONSOLE, name="ann"), Right.USERS)
    with pytest.raises(SignInRefused):
        office.console.prove(CONSOLE, Proof(method="password", secret=WORDS))


def test_a_guest_asks_while_there_are_no_accounts(database: Database) -> None:
    people = People(database, ChainedAudit(database), Settings(home=Path()), Hasher.for_tests(), console=True)
    people.check(GUEST, Right.ASK)
    with pytest.raises(NotAllowed):
        people.check(GUEST, Right.SIGN)
    with pytest.raises(SignInRefused):
        people.check(forged(GUEST, roles=frozenset(Role)), Right.SIGN)
    people.accounts.add(CONSOLE, "ann", roles=[Role.ADMINISTRATOR], password=WORDS)
    with pytest.raises(SignInRefused):
        people.check(GUEST, Right.ASK)


def test_wrong_names_and_passwords_are_refused_in_the_same_words(office: SimpleNamespace) -> None:
    office.console.accounts.disable(CONSOLE, "aud")
    office.console.accounts.add(CONSOLE, "far", roles=[], oidc=(ISSUER, "7"))
    texts = set()
    for name, word in (("rei", OTHERS), ("nobody-here", WORDS), ("", ""), ("rei\0", WORDS), ("aud", WORDS),
                       ("far", ""), ("far", WORDS), ("' OR 1=1 --", WORDS), ("\ud800", "\ud800")):
        with pytest.raises(SignInRefused) as refused:
            office.people.sign_in(name, word)
        texts.add(str(refused.value))
    assert texts == {REFUSED}
    assert ("unknown", "user.refused", "user:unknown") in events(office)
    assert "nobody-here" not in str(events(office))


def test_the_fifth_wrong_password_locks_for_growing_minutes(office: SimpleNamespace) -> None:
    for _ in range(4):
        with pytest.raises(SignInRefused):
            office.people.sign_in("rei", OTHERS)
    office.people.sign_in("rei", WORDS)
    waits = []
    for n in range(1, 13):
        with pytest.raises(SignInRefused):
            office.people.sign_in("rei", OTHERS)
        if n >= 5:
            # While it is locked, the right password is refused like a wrong one.
            with pytest.raises(SignInRefused):
                office.people.sign_in("rei", WORDS)
            waits.append(lock_minutes(n))
            office.clock.now += waits[-1] * 60 + 1
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    office.people.sign_in("rei", WORDS)
    assert sum(1 for e in events(office) if e[1] == "user.locked") == 8
    with pytest.raises(SignInRefused):
        office.people.sign_in("rei", OTHERS)
    office.people.sign_in("rei", WORDS)


def test_many_attempts_at_once_are_no_more_than_five(office: SimpleNamespace) -> None:
    tried = []
    fits = office.people._attempts._hasher.fits
    office.people._attempts._hasher.fits = lambda stored, word: tried.append(word) or fits(stored, word)
    def attempt(n: int) -> str:
        try:
            return office.people.sign_in("rei", f"wrong {n}").name
        except SignInRefused:
            return "refused"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(attempt, range(16)))
    with office.database.read() as connection:
        row = connection.execute(select(users).where(users.c.name == "rei")).one()
    assert len(tried) == 16, "a locked account answers no sooner"
    assert row.failures == 5, "attempts while it is locked do not count, and none was lost"
    assert row.locked_until == office.clock.now + 60
    assert [e[1] for e in events(office)].count("user.refused") == 16


def test_an_administrator_unlocks(office: SimpleNamespace) -> None:
    for _ in range(5):
        with pytest.raises(SignInRefused):
            office.people.sign_in("rei", OTHERS)
    ann = office.people.sign_in("ann", WORDS)
    assert office.people.accounts.all(ann)[-1].locked_until is not None
    office.people.accounts.unlock(ann, "rei")
    assert office.people.sign_in("rei", WORDS).name == "rei"


def test_sessions_end_when_idle_and_when_old(office: SimpleNamespace) -> None:
    actor = office.people.sign_in("rei", WORDS)
    for _ in range(24):
        office.clock.now += 29 * 60
        office.people.check(actor, Right.READ)
    office.clock.now += 29 * 60
    with pytest.raises(SignInRefused, match="ended"):
        office.people.check(actor, Right.READ)
    assert events(office)[-1] == ("rei", "user.session_expired", "user:rei")
    other = office.people.sign_in("rei", WORDS)
    office.clock.now += 30 * 60 + 1
    with pytest.raises(SignInRefused, match="ended"):
        office.people.actor(other.session)
    office.clock.now -= 60 * 60
    with pytest.raises(SignInRefused, match="ended"):
        office.people.actor(other.session)


def test_a_session_that_was_signed_out_is_never_valid_again(office: SimpleNamespace) -> None:
    actor, other = office.people.sign_in("rei", WORDS), office.people.sign_in("rei", WORDS)
    assert actor.session != other.session
    office.people.sign_out(actor.session)
    office.people.sign_out(actor.session)
    with pytest.raises(SignInRefused):
        office.people.check(actor, Right.READ)
    office.people.check(other, Right.READ)
    assert [e[1] for e in events(office)].count("user.signed_out") == 1


@pytest.mark.parametrize("act", ["roles", "password", "disable", "end"])
def test_what_changes_an_account_ends_its_sessions(office: SimpleNamespace, act: str) -> None:
    actor, ann = office.people.sign_in("rei", WORDS), office.people.sign_in("ann", WORDS)
    accounts = office.people.accounts
    {"roles": lambda: accounts.set_roles(ann, "rei", [Role.REVIEWER, Role.OPERATOR]),
     "password": lambda: accounts.set_password(ann, "rei", OTHERS),
     "disable": lambda: accounts.disable(ann, "rei"),
     "end": lambda: accounts.end_sessions(ann, "rei")}[act]()
    with pytest.raises(SignInRefused):
        office.people.check(actor, Right.READ)
    office.people.check(ann, Right.USERS)
    if act == "disable":
        with pytest.raises(SignInRefused):
            office.people.sign_in("rei", WORDS)
        accounts.enable(ann, "rei")
    assert office.people.sign_in("rei", OTHERS if act == "password" else WORDS).name == "rei"


def test_changing_the_own_password_keeps_this_session_only(office: SimpleNamespace) -> None:
    here, there = office.people.sign_in("ope", WORDS), office.people.sign_in("ope", WORDS)
    with pytest.raises(SignInRefused):
        office.people.change_password(here, OTHERS, OTHERS)
    with pytest.raises(BadInput):
        office.people.change_password(here, WORDS, "short")
    office.people.change_password(here, WORDS, OTHERS)
    office.people.check(here, Right.READ)
    with pytest.raises(SignInRefused):
        office.people.check(there, Right.READ)
    with pytest.raises(SignInRefused):
        office.people.sign_in("ope", WORDS)


def test_the_password_proves_who_signs_and_counts_towards_the_lock(office: SimpleNamespace) -> None:
    actor = office.people.sign_in("rei", WORDS)
    assert office.people.prove(actor, Proof(method="password", secret=WORDS)) == "Rei Example"
    with pytest.raises(SignInRefused, match="provider"):
        office.people.prove(actor, Proof(method="oidc"))
    for _ in range(5):
        with pytest.raises(SignInRefused):
            office.people.prove(actor, Proof(method="password", secret=OTHERS))
    with pytest.raises(SignInRefused):
        office.people.check(actor, Right.READ)
    with pytest.raises(SignInRefused):
        office.people.sign_in("rei", WORDS)


def test_another_persons_password_proves_nothing(office: SimpleNamespace) -> None:
    office.console.accounts.set_password(CONSOLE, "ope", OTHERS)
    actor = office.people.sign_in("rei", WORDS)
    for proof in (OTHERS, "", "x" * 100_000):
        with pytest.raises(SignInRefused):
            office.people.prove(actor, Proof(method="password", secret=proof))


def test_the_last_administrator_stays(office: SimpleNamespace) -> None:
    ann = office.people.sign_in("ann", WORDS)
    for act in (lambda: office.people.accounts.disable(ann, "ann"),
                lambda: office.people.accounts.set_roles(ann, "ann", [Role.REVIEWER])):
        with pytest.raises(NotAllowed, match="last active administrator"):
            act()
    office.people.accounts.set_roles(ann, "ope", [Role.ADMINISTRATOR])
    people, outcomes = office.people, []
    ope = people.sign_in("ope", WORDS)
    def remove(actor: Actor, name: str) -> None:
        try:
            people.accounts.disable(actor, name)
            outcomes.append("done")
        except NotAllowed:
            outcomes.append("refused")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(remove, (ann, ope), ("ope", "ann")))
    assert sorted(outcomes) == ["done", "refused"]


def test_only_who_may_makes_and_changes_accounts(office: SimpleNamespace) -> None:
    accounts = office.people.accounts
    acts: list[Callable[[Actor], Any]] = [
        accounts.all, lambda who: accounts.add(who, "eve", roles=[], password=WORDS),
        lambda who: accounts.set_roles(who, who.name, list(Role)),
        lambda who: accounts.set_password(who, "ann", OTHERS), lambda who: accounts.unlock(who, "ann"),
        lambda who: accounts.disable(who, "ann"), lambda who: accounts.enable(who, "ann"),
        lambda who: accounts.end_sessions(who, "ann"), lambda who: accounts.link(who, "ann", (ISSUER, "1")),
    ]
    for name in ("rei", "ope", "aud"):
        actor = office.people.sign_in(name, WORDS)
        for act in acts:
            with pytest.raises(NotAllowed):
                act(actor)
    assert office.people.sign_in("ann", WORDS).roles == {Role.ADMINISTRATOR}


def test_names_are_one_whatever_their_case_or_width(office: SimpleNamespace) -> None:
    for name in ("REI", " rei ", "ｒｅｉ"):
        with pytest.raises(Conflict):
            office.console.accounts.add(CONSOLE, name, roles=[], password=WORDS)
    assert office.console.accounts.add(CONSOLE, "検品 太郎".replace(" ", "."), roles=[], password=WORDS).name == "検品.太郎"


def test_nothing_stored_or_noted_holds_a_secret(office: SimpleNamespace) -> None:
    actor = office.people.sign_in("rei", WORDS)
    with pytest.raises(SignInRefused):
        office.people.sign_in(OTHERS, WORDS)
    office.people.prove(actor, Proof(method="password", secret=WORDS))
    with office.database.read() as connection:
        everything = "".join(str(row) for table in (users, sessions, audit) for row in connection.execute(select(table)))
    assert WORDS not in everything
    assert OTHERS not in everything
    assert actor.session not in everything
    assert "$argon2id$" in everything
    assert office.log.verify() == []


def test_a_hash_of_other_parameters_is_renewed_at_the_next_sign_in(office: SimpleNamespace) -> None:
    import argon2

    def stored() -> str:
        with office.database.read() as connection:
            return str(connection.execute(select(users.c.password).where(users.c.name == "rei")).scalar_one())

    before = stored()
    office.people._attempts._hasher._argon = argon2.PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)
    office.people.sign_in("rei", WORDS)
    assert "t=1" in before
    assert "t=2" in stored()
    office.people.sign_in("rei", WORDS)


def came(office: SimpleNamespace, subject: str = "42", *, age: float = 1.0, nonce: str = "n", **claims: Any) -> Any:
    at = office.clock.now - age
    return signed_in_elsewhere({"iss": ISSUER, "sub": subject, "iat": at, "nonce": nonce, **claims}, key="server key")


def test_a_sign_in_elsewhere_is_one_session_and_proves_while_it_is_fresh(office: SimpleNamespace) -> None:
    office.console.accounts.add(CONSOLE, "kim", roles=[Role.REVIEWER], oidc=(ISSUER, "42"))
    first = came(office)
    actor = office.people.sign_in_elsewhere(first)
    assert (actor.name, actor.roles) == ("kim", {Role.REVIEWER})
    assert office.people.sign_in_elsewhere(first) == actor
    assert office.people.method(actor) == "oidc"
    assert office.people.prove(actor, Proof(method="oidc")) == "kim"
    office.clock.now += 300
    office.people.check(actor, Right.SIGN)
    with pytest.raises(SignInRefused, match="5 minutes"):
        office.people.prove(actor, Proof(method="oidc"))
    with pytest.raises(SignInRefused, match="provider"):
        office.people.prove(actor, Proof(method="password", secret=""))
    office.people.sign_out(actor.session)
    with pytest.raises(SignInRefused):
        office.people.sign_in_elsewhere(first)
    again = office.people.sign_in_elsewhere(came(office, nonce="m"))
    assert again.session != actor.session
    assert office.people.prove(again, Proof(method="oidc")) == "kim"


def test_an_old_sign_in_elsewhere_begins_nothing(office: SimpleNamespace) -> None:
    with pytest.raises(SignInRefused, match="too old"):
        office.people.sign_in_elsewhere(came(office, age=301))
    with pytest.raises(SignInRefused, match="too old"):
        office.people.sign_in_elsewhere(came(office, age=1, auth_time=office.clock.now - 3600))


def test_a_first_sign_in_elsewhere_makes_an_account_that_may_nothing(office: SimpleNamespace) -> None:
    actor = office.people.sign_in_elsewhere(came(office, preferred_username="Kim", name="Kim Example"))
    assert (actor.name, actor.roles) == ("kim", frozenset())
    for right in Right:
        with pytest.raises(NotAllowed):
            office.people.check(actor, right)


def test_a_name_told_by_a_provider_opens_nobodys_account(office: SimpleNamespace) -> None:
    for n, name in enumerate(("ann", "ANN", "guest", "console:root", "", "x" * 300, "a b", "\u202e")):
        actor = office.people.sign_in_elsewhere(came(office, f"evil{n}", preferred_username=name, name="\x1b[2J"))
        assert actor.name.startswith("oidc-")
        assert actor.roles == frozenset()


def test_a_disabled_account_stays_out_elsewhere(office: SimpleNamespace) -> None:
    office.console.accounts.add(CONSOLE, "kim", roles=[Role.REVIEWER], oidc=(ISSUER, "42"))
    office.console.accounts.disable(CONSOLE, "kim")
    with pytest.raises(SignInRefused, match="disabled"):
        office.people.sign_in_elsewhere(came(office))
    with pytest.raises(Conflict):
        office.console.accounts.link(CONSOLE, "rei", (ISSUER, "42"))
    office.console.accounts.link(CONSOLE, "rei", (ISSUER, "43"))
    assert office.people.sign_in_elsewhere(came(office, "43")).name == "rei"


def test_claims_without_a_person_or_a_time_are_refused(office: SimpleNamespace) -> None:
    for claims in ({}, {"iss": ISSUER}, {"iss": ISSUER, "sub": "1"}, {"iss": ISSUER, "sub": "1", "iat": "now"}):
        with pytest.raises(SignInRefused):
            signed_in_elsewhere(claims, key="k")
    with pytest.raises(SignInRefused):
        signed_in_elsewhere({"iss": ISSUER, "sub": "1", "iat": 1.0}, key="")
