"""People, inspections and acts for the tests of the review's pages. Loaded by the tests with `runpy`."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image
from streamlit.testing.v1 import AppTest

from agent.inspector import Material, Photo, answer_of
from kenpin.contracts.people import Actor, Role
from kenpin.contracts.review import Dossier, Rules
from kenpin.contracts.verdict import Criteria, Criterion, Op

PASSWORD = "correct horse battery"
ROOT = Actor(name="console:root", roles=frozenset({Role.OPERATOR, Role.ADMINISTRATOR}), kind="console")
STAFF = {"tanaka": Role.OPERATOR, "mori": Role.REVIEWER, "sato": Role.REVIEWER, "kato": Role.ADMINISTRATOR,
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


def rules(kenpin: Any, actor: Actor, **kinds: bool) -> None:
    kenpin.reviews.set_rules(actor, Rules(product="Panel A", **kinds))


def dossier(kenpin: Any, actor: Actor, inspection: str) -> Dossier:
    return kenpin.reviews.dossier(actor, inspection)  # type: ignore[no-any-return]


def everything(page: AppTest) -> str:
    """Every element of the page with all that it carries, as one text."""
    return "\n".join(str(element) + str(getattr(element, "proto", "")) for element in page.main)
