"""What is installed, which planner answers, what is missing and how to get it."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from kenpin.cases.embed_server import ServerEmbedder
from kenpin.cases.settling import Settler
from kenpin.config import Settings
from kenpin.contracts.errors import KenpinError
from kenpin.database.tables import inspections
from kenpin.security.rotation import KeyState
from kenpin.security.rotation import examine as key_state
from kenpin.wiring import Kenpin

if TYPE_CHECKING:
    from agent.planners.vllm_probe import Probe

ROOTS = ("agent", "kenpin", "prompts", "tools", "ui")
EXTRAS = {"local": "transformers", "serve": "vllm", "tune": "peft", "scale": "ray"}


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    what: str
    ok: bool
    says: str
    remedy: str = ""
    vital: bool = False
    """Without it, what was asked for cannot run."""


def examine(kenpin: Kenpin) -> list[Finding]:
    """Look at everything; nothing is changed and no server but the configured ones is asked."""
    return [*_installed(), *_roots(), _home(kenpin.settings), *_records(kenpin), *_parts(kenpin), *_planner(kenpin)]


def _installed() -> Iterator[Finding]:
    try:
        yield Finding("kenpin", True, version("kenpin"))
    except PackageNotFoundError:
        yield Finding("kenpin", False, "not installed as a package", "run: make setup", vital=True)
    for extra, module in EXTRAS.items():
        there = find_spec(module) is not None
        yield Finding(f"extra {extra}", True, "installed" if there else "not installed (optional)")


def _roots() -> Iterator[Finding]:
    owners = packages_distributions()
    for root in ROOTS:
        others = sorted(set(owners.get(root, ())) - {"kenpin"})
        yield Finding(
            f"package {root}",
            not others,
            f"also owned by {', '.join(others)}" if others else "belongs to kenpin",
            f"uninstall {', '.join(others)} or use a separate environment" if others else "",
            vital=bool(others),
        )


def _home(settings: Settings) -> Finding:
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        free = shutil.disk_usage(settings.home).free / 2**30
    except OSError as exc:
        return Finding(
            "data folder",
            False,
            f"{settings.home}: {exc.strerror}",
            "set KENPIN_HOME to a writeable folder",
            vital=True,
        )
    return Finding(
        "data folder", free > 1, f"{settings.home}, {free:.0f} GiB free", "" if free > 1 else "free some space"
    )


def _records(kenpin: Kenpin) -> Iterator[Finding]:
    """The database and the master key. No key is made here."""
    try:
        database = kenpin.database
        with database.read() as connection:
            number = connection.execute(select(func.count()).select_from(inspections)).scalar_one()
    except KenpinError as exc:
        yield Finding("records", False, str(exc), "check KENPIN_DATABASE_URL or the data folder", vital=True)
        return
    kind = "SQLite" if database.sqlite else "PostgreSQL"
    yield Finding("records", True, f"{kind} {database.shown}, {number} inspections")
    try:
        yield _key(kenpin, key_state(database, kenpin.key_source))
    except KenpinError as exc:
        yield Finding("master key", False, str(exc), "see docs/security.md, At rest", vital=True)


def _key(kenpin: Kenpin, found: KeyState) -> Finding:
    place = kenpin.key_source.place
    if found.in_force is None:
        says = f"{found.source}: no record is sealed yet" + ("" if found.keys else "; a key is made for the first one")
    else:
        says = f"{found.source}: {found.in_force}, {found.records} data keys"
    advice = []
    if found.waiting or len(found.keys) > 1:
        advice.append("its change was broken off; kenpin keys rotate goes on with it")
    if kenpin.settings.master_key is None:
        if place.resolve().is_relative_to(kenpin.home.resolve()):
            advice.append("a copy of the data folder takes the key along; keep it elsewhere with KENPIN_KEY_FILE")
        if place.exists() and place.stat().st_mode & 0o077:
            advice.append(f"others on this machine may read it; chmod 600 {place}")
    return Finding("master key", True, says, "; ".join(advice))


def _parts(kenpin: Kenpin) -> Iterator[Finding]:
    try:
        cases = kenpin.readable_cases
        differ = Settler(kenpin.database, kenpin.vault, kenpin.pictures, cases).agreement()
        says = f"{len(cases.heads())} cases, embedder {cases.described_by}"
        more = f" and {len(differ) - 3} more" if len(differ) > 3 else ""
        yield Finding("past cases", not differ, "; ".join([says, *differ[:3]]) + more,
                      "run: kenpin cases settle" if differ else "")
    except (KenpinError, OSError) as exc:
        yield Finding("past cases", False, str(exc), "check KENPIN_CHROMA_HOST or the data folder")
        return
    try:
        if isinstance(kenpin.embedder, ServerEmbedder):
            yield from _embedding(kenpin.embedder)
        if said := cases.objection():
            yield Finding("past cases", False, said)
    except KenpinError as exc:
        yield Finding("embedding server", False, str(exc), "past cases can be read and not searched")


def _embedding(embedder: ServerEmbedder) -> Iterator[Finding]:
    """What the embedding server takes, found out by asking it.

    Raises:
        Unavailable: It does not answer.
    """
    found, (right, colours) = embedder.found, embedder.one_space()
    ways = [f"vectors of {found.picture_dim} numbers for pictures, {found.words_dim} for words",
            "pictures and words with an instruction" if found.ways.picture != "alone" else "pictures alone",
            *(["pictures made square, since it cuts the middle out"] if found.ways.square else []),
            "several in a request" if found.ways.batched else "one picture a request"]
    yield Finding("embedding server", True, f"{embedder.name}: {', '.join(ways)}")
    yield Finding("embeddings of colours", True, f"{right} of {colours} found by their names; words are compared with "
                                                 "words and pictures with pictures, so nothing rests on it")


def _planner(kenpin: Kenpin) -> Iterator[Finding]:
    """The planner that was asked for, by itself, and after it the one that stands in for it."""
    yield from _asked_for(kenpin)
    other = kenpin.settings.planner_fallback
    if other and other != kenpin.settings.planner:
        try:
            info = kenpin.inspector(other).planner.info
        except KenpinError as exc:
            yield Finding(f"fallback {other}", False, str(exc), "set KENPIN_PLANNER_FALLBACK to one that can run")
        else:
            yield Finding(f"fallback {other}", True, f"{info.model}, answers where {kenpin.settings.planner} is gone")


def _asked_for(kenpin: Kenpin) -> Iterator[Finding]:
    try:
        info = kenpin.inspector(fallback=False).planner.info
    except KenpinError as exc:
        yield Finding(f"planner {kenpin.settings.planner}", False, str(exc), "or choose --planner embedded", vital=True)
        return
    adapter = f", adapter {info.adapter} {(info.adapter_sha256 or '')[:12]}".rstrip() if info.adapter else ""
    yield Finding(f"planner {info.backend}", True, f"{info.model}, prompt {info.prompt}{adapter}")
    if info.backend == "vllm":
        yield from _server(kenpin.settings)
    elif info.backend == "local":
        yield from _here(kenpin.settings)


def _here(settings: Settings) -> Iterator[Finding]:
    """What a model in this process takes of the machine, and what it can do."""
    from agent.planners.hf_probe import probe_here

    try:
        found = probe_here(settings)
    except KenpinError as exc:
        yield Finding("model", False, str(exc), vital=True)
        return
    yield Finding("model's device", True, f"{found.device}; {found.needs}")
    yield from _able("model", found.probe, settings)


def _server(settings: Settings) -> Iterator[Finding]:
    """What the server can do, found out by asking it: a forced call, known pictures, boxes of known place."""
    from agent.planners.vllm_probe import probe

    try:
        found = probe(settings)
    except KenpinError as exc:
        yield Finding("server", False, str(exc), vital=True)
        return
    yield from _able("server", found, settings)


def _able(who: str, found: "Probe", settings: Settings) -> Iterator[Finding]:
    """What was found out by asking."""
    yield Finding(
        f"{who} calls tools",
        found.calls,
        "a forced call kept its schema" if found.calls else "a forced call did not come back right",
    )
    yield Finding(
        f"{who} takes pictures",
        found.taken,
        "also in tool messages" if found.in_tools else "in user messages" if found.taken else "no",
    )
    yield Finding(
        f"{who} sees pictures",
        found.pictures,
        "no" if not found.pictures else "also in tool messages" if found.in_tools else "in user messages",
    )
    yield Finding(
        f"{who}'s boxes", found.kind is not None, str(found.kind or "fit neither frame; set KENPIN_VLLM_FRAME")
    )
    room = f"{found.most_pictures or settings.vllm_pictures} pictures a prompt"
    context = found.model.context
    yield Finding(f"{who}'s room", True, f"{room}, {context} tokens" if context else room)
    for line in found.advice:
        yield Finding("advice", True, line)
