"""Deletion by rule: what is due goes whole, what is not stays whole, and a killed process can be run again."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from runpy import run_path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from agent.inspector import Material, Photo
from kenpin.cases.settling import Settler
from kenpin.config import Settings
from kenpin.contracts.errors import NotAllowed, StoreError
from kenpin.contracts.people import Actor, Proof, Role
from kenpin.contracts.review import Meaning, Rules
from kenpin.contracts.trace import pictures_of, trace_sha256
from kenpin.contracts.verdict import Verdict
from kenpin.database.tables import data_keys, entries, inspections, signed_traces, traces
from kenpin.retention_service import Retention
from kenpin.security.uploads import Upload
from kenpin.services import Services

double = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "services_double.py")))
CONSOLE: Actor = double.CONSOLE


@pytest.fixture
def services(tmp_path: Path, house: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """An installation with an empty case base."""
    monkeypatch.setattr("kenpin.cases.bundle.load_bundled", lambda *_: 0)
    tools = house.real(house.searching(("scratch", 0.9, (20, 50, 40, 70))))
    yield Services(double.Office(Settings(home=tmp_path), True, tools))


def asked(services: Services, house: ModuleType, *, seed: int, days: float = 0, **more: Any) -> str:
    """An inspection with one turn, so many days old."""
    key = services.asking.start(CONSOLE, Material(subject=Photo(house.plate(seed=seed)), **more))
    list(services.asking.say(CONSOLE, key, "Look for scratches."))
    aged(services, key, days)
    return key


def aged(services: Services, key: str, days: float) -> None:
    moment = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="microseconds")
    with services.kenpin.database.write() as connection:
        connection.execute(update(inspections).where(inspections.c.id == key).values(created=moment))
    for sha256 in pictures_of(services.kenpin.traces.load(key)):
        place = services.kenpin.pictures._place(sha256)
        os.utime(place, (0, datetime.now(UTC).timestamp() - days * 86400 - 7200))


def signed(services: Services, key: str) -> str:
    """Sign it as ng, carry the case over to the case base, and return the case's id."""
    if not services.people.any_accounts():
        double.account(services, "rika", Role.REVIEWER)
    rika = services.people.sign_in("rika", double.PASSWORD)
    seen = services.reviews.dossier(rika, key)
    entry = services.reviews.change_verdict(rika, key, head=seen.head, verdict=Verdict.NG, why="plain to see")
    seen = services.reviews.dossier(rika, key)
    services.reviews.sign(
        rika, key, head=entry.n, meaning=Meaning.APPROVED, content_sha256=seen.content_sha256 or "",
        proof=Proof(method="password", secret=double.PASSWORD),
    )  # fmt: skip
    settler(services).settle()
    (case,) = (case for case in services.kenpin.cases.all() if case.inspection == key)
    return case.id


def settler(services: Services) -> Settler:
    kenpin = services.kenpin
    return Settler(kenpin.database, kenpin.vault, kenpin.pictures, kenpin.cases)


def rule(services: Services, **days: Any) -> None:
    services.reviews.set_rules(CONSOLE, Rules(**days))


def left_of(services: Services, key: str) -> int:
    """Rows, keys and checkpoints that are left of an inspection."""
    with services.kenpin.database.read() as connection:
        counts = [
            connection.execute(select(func.count()).select_from(table).where(column == value)).scalar_one()
            for table, column, value in (
                (inspections, inspections.c.id, key), (traces, traces.c.inspection, key),
                (entries, entries.c.inspection, key), (signed_traces, signed_traces.c.inspection, key),
                (data_keys, data_keys.c.record, f"inspection:{key}"),
            )
        ]  # fmt: skip
    config: Any = {"configurable": {"thread_id": key}}
    return sum(counts) + len(list(services.kenpin.checkpointer().list(config)))


def there(services: Services, sha256: str) -> bool:
    try:
        services.kenpin.pictures.read_file(sha256)
    except StoreError:
        return False
    return services.kenpin.vault.holds(f"picture:{sha256}")


def test_what_is_due_goes_whole_and_what_is_not_stays_whole(services: Services, house: ModuleType) -> None:
    old, new = (asked(services, house, seed=seed, days=days) for seed, days in ((1, 40), (2, 20)))
    trace, kept = services.kenpin.traces.load(old), services.kenpin.traces.load(new)
    rule(services, keep_days=30)
    before = services.kenpin.audit.count()

    done = services.retention.apply(CONSOLE)

    assert (done.deleted, done.busy, done.unreadable, done.pending) == ((old,), (), (), ())
    assert left_of(services, old) == 0 and not any(there(services, s) for s in pictures_of(trace))
    assert done.pictures == len(pictures_of(trace)) and done.shared == 0
    assert services.kenpin.traces.load(new) == kept and all(there(services, s) for s in pictures_of(kept))
    with pytest.raises(StoreError):
        services.asking.trace(CONSOLE, old)
    # The log keeps what was there, and tells what became of it.
    events = services.kenpin.audit.events(subject=f"inspection:{old}")
    assert [event.action for event in reversed(events)] == [
        "inspection.started", "inspection.asked", "inspection.answered", "inspection.deleted", "inspection.erased",
    ]  # fmt: skip
    detail = events[1].detail
    assert (detail["trace_sha256"], detail["rule"], detail["days"]) == (trace_sha256(trace), "keep_days", 30)
    assert services.kenpin.audit.count() == before + 2 and services.kenpin.audit.verify() == []
    assert services.kenpin.verifier.broken() == []
    assert services.retention.apply(CONSOLE).due == ()


def test_a_dry_look_changes_nothing(services: Services, house: ModuleType) -> None:
    old = asked(services, house, seed=1, days=40)
    rule(services, keep_days=30)
    count = services.kenpin.audit.count()

    (due,) = services.retention.due(CONSOLE)

    assert (due.id, due.rule, due.days, due.of) == (old, "keep_days", 30, "")
    assert services.kenpin.traces.load(old) and services.kenpin.audit.count() == count


def test_who_may_not_deletes_nothing(services: Services, house: ModuleType) -> None:
    old = asked(services, house, seed=1, days=40)
    rule(services, keep_days=30)
    for role in (Role.OPERATOR, Role.REVIEWER, Role.AUDITOR):
        actor = double.account(services, role.value, role)
        for act in (services.retention.due, services.retention.apply):
            with pytest.raises(NotAllowed):
                act(actor)
    assert services.kenpin.traces.load(old)


def test_each_product_has_its_own_rule_and_signed_work_another(services: Services, house: ModuleType) -> None:
    key = {
        name: asked(services, house, seed=n, days=40, product=product)
        for n, (name, product) in enumerate((("plain", None), ("panel", "panel"), ("lens", "lens"), ("done", "panel")))
    }
    signed(services, key["done"])
    for rules in (Rules(keep_days=30), Rules(product="panel", keep_days=60, keep_signed_days=10),
                  Rules(product="lens")):  # fmt: skip
        services.reviews.set_rules(CONSOLE, rules)

    assert [due.id for due in services.retention.due(CONSOLE)] == [key["plain"]]

    def later(days: float) -> set[str]:
        retention = Retention(services.kenpin, clock=lambda: datetime.now(UTC) + timedelta(days=days))
        return {due.id for due in retention.due(CONSOLE)}

    # The time of a signed record begins with its signature, which is of today.
    assert later(9) == {key["plain"]} and later(11) == {key["plain"], key["done"]}
    assert later(21) == {key["plain"], key["done"], key["panel"]} and key["lens"] not in later(5000)


def test_pictures_that_something_else_names_stay(services: Services, house: ModuleType) -> None:
    first, second = (asked(services, house, seed=1, days=days) for days in (40, 1))
    third = asked(services, house, seed=3, days=40)
    third_picture = services.kenpin.traces.load(third).images[0].sha256
    services.products.add(CONSOLE, "panel", good=[Upload(house.plate(seed=3), "0" * 64, "good.png", ())])
    aged(services, third, 40)
    shared = services.kenpin.traces.load(second)
    rule(services, keep_days=30)

    done = services.retention.apply(CONSOLE)

    assert set(done.deleted) == {first, third} and done.shared == len(pictures_of(shared)) + 1
    assert all(there(services, s) for s in pictures_of(shared)) and there(services, third_picture)
    assert services.kenpin.products.all()[0].good[0].sha256 == third_picture


@pytest.mark.parametrize("keep", [False, True])
def test_the_case_goes_unless_it_is_told_to_stay(services: Services, house: ModuleType, keep: bool) -> None:
    key = asked(services, house, seed=1, days=40)
    case = services.kenpin.cases.get(signed(services, key))
    aged(services, key, 40)
    rule(services, keep_signed_days=5)
    retention = Retention(services.kenpin, clock=lambda: datetime.now(UTC) + timedelta(days=6))

    done = retention.apply(CONSOLE, cases="keep" if keep else "withdraw")

    assert done.deleted == (key,) and left_of(services, key) == 0 and done.pending == ()
    assert there(services, case.picture) == keep and done.shared == int(keep)
    assert services.kenpin.cases.all() == ([case] if keep else [])
    assert settler(services).agreement() == [] and services.kenpin.verifier.broken() == []
    (deleted,) = services.kenpin.audit.events(subject=f"inspection:{key}", action="inspection.deleted")
    assert (deleted.detail["cases"], deleted.detail["cases_are"]) == ([case.id], "kept" if keep else "withdrawn")


def test_one_whose_turn_runs_is_left_for_the_next_time(services: Services, house: ModuleType, tmp_path: Path) -> None:
    key = asked(services, house, seed=1, days=40)
    rule(services, keep_days=30)
    child = os.fork()
    if child == 0:
        with services.kenpin.holds.hold(key):
            (tmp_path / "held").touch()
            while not (tmp_path / "done").exists():
                pass
        os._exit(0)
    while not (tmp_path / "held").exists():
        pass
    done = services.retention.apply(CONSOLE)
    (tmp_path / "done").touch()
    os.waitpid(child, 0)

    assert (done.deleted, done.busy) == ((), (key,))
    assert services.retention.apply(CONSOLE).deleted == (key,)


def test_a_picture_that_was_stored_just_now_waits(services: Services, house: ModuleType) -> None:
    key = asked(services, house, seed=1, days=40)
    trace = services.kenpin.traces.load(key)
    os.utime(services.kenpin.pictures._place(trace.images[0].sha256))  # somebody begins with the same picture
    rule(services, keep_days=30)

    done = services.retention.apply(CONSOLE)

    assert done.deleted == (key,) and done.pending == (key,) and there(services, trace.images[0].sha256)
    again = Retention(services.kenpin, clock=lambda: datetime.now(UTC) + timedelta(hours=2)).apply(CONSOLE)
    assert (again.due, again.pictures, again.pending) == ((), 1, ()) and not there(services, trace.images[0].sha256)


POINTS: dict[str, tuple[str, str]] = {
    "before the end of the transaction": ("kenpin.retention_service", "delete"),
    "after the transaction": ("kenpin.retention_service", "unfinished"),
    "while pictures are deleted": ("kenpin.traces.pictures", "FilePictures.discard"),
    "before the end": ("kenpin.retention_service", "Retention._finish"),
}


class Killed(BaseException):
    """Stands in for SIGKILL: nothing in the house catches it."""


def at_second_call(run: Callable[..., Any]) -> Callable[..., Any]:
    """A function that does its work twice and is killed right then."""
    calls = [0]

    def killed(*args: Any, **more: Any) -> Any:
        result = run(*args, **more)
        calls[0] += 1
        if calls[0] == 2:
            raise Killed
        return result

    return killed


@pytest.mark.parametrize("point", POINTS)
def test_killed_in_the_middle_and_run_again_it_ends_right(
    services: Services, house: ModuleType, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    keys = [asked(services, house, seed=seed, days=40 + seed) for seed in (1, 2)]
    stays = asked(services, house, seed=9, days=1)
    pictures = {s for key in keys for s in pictures_of(services.kenpin.traces.load(key))}
    rule(services, keep_days=30)
    module, name = POINTS[point]
    target = __import__(module, fromlist=["x"])
    holder, _, attribute = name.rpartition(".")
    owner = getattr(target, holder) if holder else target
    monkeypatch.setattr(owner, attribute, at_second_call(getattr(owner, attribute)))
    try:
        services.retention.apply(CONSOLE)
        services.retention.apply(CONSOLE)
    except Killed:
        pass
    monkeypatch.undo()
    monkeypatch.setattr("kenpin.cases.bundle.load_bundled", lambda *_: 0)

    again = Services(double.Office(services.kenpin.settings, True, services.kenpin.tools))
    again.retention.apply(CONSOLE)

    assert [left_of(again, key) for key in keys] == [0, 0]
    assert not any(there(again, sha256) for sha256 in pictures)
    files = [p for p in (again.kenpin.home / "pictures").rglob("*") if p.is_file() and len(p.name) == 64]
    assert {p.name for p in files} == set(pictures_of(again.kenpin.traces.load(stays)))
    for key in keys:
        actions = [event.action for event in again.kenpin.audit.events(subject=f"inspection:{key}")]
        assert actions.count("inspection.deleted") == actions.count("inspection.erased") == 1
    assert again.kenpin.audit.verify() == [] and again.kenpin.verifier.broken() == []


def test_an_inspection_that_cannot_be_read_stays_and_no_picture_is_deleted(
    services: Services, house: ModuleType
) -> None:
    old, other = asked(services, house, seed=1, days=40), asked(services, house, seed=2, days=50)
    trace = services.kenpin.traces.load(old)
    rule(services, keep_days=30)
    with services.kenpin.database.write() as connection:
        connection.execute(text("UPDATE traces SET body = x'00' WHERE inspection = :key"), {"key": other})

    done = services.retention.apply(CONSOLE)

    assert (done.deleted, done.unreadable, done.pending, done.pictures) == ((old,), (other,), (old,), 0)
    assert "sealed" in done.blocked and left_of(services, other) and not left_of(services, old)
    assert all(there(services, sha256) for sha256 in pictures_of(trace))
