"""People, inspections and acts for the tests of the review's pages. Loaded by the tests with `runpy`."""

import io
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from agent.inspector import Material, Photo, answer_of
from kenpin.contracts.people import Actor, Proof, Role
from kenpin.contracts.review import Dossier, Meaning, Rules
from kenpin.contracts.verdict import Criteria, Criterion, Op, Verdict
from kenpin.security.oidc import SignedInElsewhere

HERE = Path(__file__).parent
PASSWORD = "correct horse battery"
ROOT = Actor(name="console:root", roles=frozenset({Role.OPERATOR, Role.ADMINISTRATOR}), kind="console")
STAFF = {"tanaka": Role.OPERATOR, "mori": Role.REVIEWER, "sato": Role.REVIEWER, "ueda": Role.REVIEWER, "kato": Role.ADMINISTRATOR,
         "abe": Role.AUDITOR}
EVIL = "<script>alert(1)</script> **md** $x^2$ [x](javascript:alert(1)) :material/delete:"


def hire(kenpin: Any) -> dict[str, Actor]:
    """An account of each kind, signed in."""
    for name, role in STAFF.items():
        kenpin.people.accounts.add(ROOT, name, roles={role}, printed_name=name.title(), password=PASSWORD)
    return {name: kenpin.people.sign_in(name, PASSWORD) for name in STAFF}


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def asked(kenpin: Any, png: bytes, texts: Sequence[str] = ("Look for scratches.",), *, by: str = "tanaka",
          product: str = "Panel A", mm_per_px: float | None = 0.1) -> str:
    """An inspection whose turns have run."""
    inspector = kenpin.inspector("embedded")
    limit = Criterion(of="scratch", quantity="length", op=Op.LE, value=25, unit="mm", revision="C")
    material = Material(subject=Photo(pixels(png)), product=product, lot="L-7", part="P-12", mm_per_px=mm_per_px,
                        criteria=Criteria(product=product, revision="C", source="panel.yaml", limits=(limit,)), asker=by)
    made = inspector.start(material)
    for text in texts:
        answer_of(inspector.say(made, text))
    return str(made)


def rules(kenpin: Any, actor: Actor, product: str, **kinds: bool) -> None:
    kenpin.reviews.set_rules(actor, Rules(product=product, **kinds))


def dossier(kenpin: Any, actor: Actor, inspection: str) -> Dossier:
    return kenpin.reviews.dossier(actor, inspection)  # type: ignore[no-any-return]


def everything(page: AppTest) -> str:
    """Every element of the page with all that it carries, as one text."""
    return "\n".join(str(element) + str(getattr(element, "proto", "")) for element in page.main)


class Room:
    """One installation with its people, and pages as one of them."""

    def __init__(self, kenpin: Any, staff: dict[str, Actor], patch: pytest.MonkeyPatch) -> None:
        self.kenpin, self.staff, self._patch = kenpin, staff, patch
        self.opened: AppTest

    def page(self, inspection: str, who: str, *, lang: str = "en") -> AppTest:
        """The page of an inspection as one person sees it."""
        import ui.who
        from ui.state import Session

        self._patch.setattr(ui.who, "token", lambda: self.staff[who].session)
        page = AppTest.from_file(str(HERE / "inspection_page.py"), default_timeout=30)
        page.session_state["kenpin"] = Session(choice=lang)  # type: ignore[arg-type]
        if inspection:
            page.query_params["inspection"] = inspection
        page.run()
        assert not page.exception
        self.opened = page
        return page

    def elsewhere(self, name: str) -> None:
        """A reviewer who has just signed in at a provider, and has no password here."""
        self.kenpin.people.accounts.add(ROOT, name, roles={Role.REVIEWER}, oidc=("https://idp.invalid", name))
        came = SignedInElsewhere(issuer="https://idp.invalid", subject=name, at=time.time(), token=f"token-of-{name}" * 4)
        self.staff[name] = self.kenpin.people.sign_in_elsewhere(came)

    def field(self, page: AppTest, name: str, kind: str) -> Any:
        """A field of the open inspection."""
        key = f"{name}-{page.query_params['inspection']}"
        return next(f for f in page.get(kind) if f.key == key)

    def seen(self, inspection: str, who: str = "mori") -> Dossier:
        return dossier(self.kenpin, self.staff[who], inspection)

    def rule(self, inspection: str, verdict: Verdict, *, who: str = "mori") -> None:
        head = self.seen(inspection, who).head
        self.kenpin.reviews.change_verdict(self.staff[who], inspection, head=head, verdict=verdict, why="measured again")

    def sign(self, inspection: str, who: str) -> None:
        seen = self.seen(inspection, who)
        self.kenpin.reviews.sign(self.staff[who], inspection, head=seen.head, meaning=Meaning.APPROVED,
                                 proof=Proof(method="password", secret=PASSWORD), content_sha256=seen.content_sha256)


@pytest.fixture(scope="module")
def staffed(scripted: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, dict[str, Actor]]]:
    """An installation with its people; each test has inspections of its own in it."""
    import ui.backend

    home = tmp_path_factory.mktemp("review") / "検品 home"
    kenpin = scripted.open_scripted(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KENPIN_HOME", str(home))
        patch.setattr(ui.backend, "open_kenpin", lambda settings: kenpin)
        st.cache_resource.clear()
        st.cache_data.clear()
        yield kenpin, hire(kenpin)
    st.cache_resource.clear()


@pytest.fixture
def room(staffed: tuple[Any, dict[str, Actor]], monkeypatch: pytest.MonkeyPatch) -> Room:
    return Room(*staffed, monkeypatch)
