"""What every product store does."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kenpin.contracts.errors import BadInput, StoreError
from kenpin.contracts.ports import ProductStore
from kenpin.contracts.product import MOST_GOOD
from kenpin.contracts.verdict import Criteria
from kenpin.products.store import FileProducts, checked_name
from kenpin.security.uploads import Upload
from kenpin.traces.pictures import FilePictures

Opened = Callable[[], FileProducts]


@pytest.fixture(params=["files"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """Opens the same store anew, as another process would."""
    return {"files": lambda: FileProducts(tmp_path / "products", FilePictures(tmp_path / "pictures"))}[request.param]


def upload(value: int, name: str = "good.png") -> Upload:
    return Upload(pixels=np.full((20, 24, 3), value, np.uint8), sha256=f"{value:064x}", name=name, notes=("turned",))


def test_it_is_a_product_store(opened: Opened) -> None:
    assert isinstance(opened(), ProductStore)


def test_a_product_comes_back_as_it_was(opened: Opened, tmp_path: Path) -> None:
    criteria = Criteria(product="x", revision="B", source="panel.yaml")
    added = opened().add("パネル A", good=[upload(1), upload(2)], references=[upload(3)], criteria=criteria)

    found = opened().get("パネル a")
    assert found == added and found.name == "パネル A" and found.criteria == criteria
    assert [(s.name, s.upload_sha256, s.notes) for s in found.good] == [
        ("good.png", f"{n:064x}", ("turned",)) for n in (1, 2)]
    assert (FilePictures(tmp_path / "pictures").get(found.good[1].sha256) == 2).all()


def test_adding_again_adds_and_keeps_the_same_picture_once(opened: Opened) -> None:
    opened().add("panel", good=[upload(1)], criteria=Criteria(source="a.yaml"))
    product = opened().add("PANEL", good=[upload(1, "again.png"), upload(2)])

    assert [s.name for s in product.good] == ["good.png", "good.png"] and product.name == "panel"
    assert product.criteria is not None and product.criteria.source == "a.yaml"
    assert [p.name for p in opened().all()] == ["panel"]


def test_more_than_fifty_are_refused_and_nothing_changes(opened: Opened) -> None:
    opened().add("panel", good=[upload(n) for n in range(MOST_GOOD)])

    with pytest.raises(BadInput, match=r"would have 51 good samples; at most 50"):
        opened().add("panel", good=[upload(99)])
    assert len(opened().add("panel", good=[upload(7)]).good) == MOST_GOOD


def test_a_product_that_holds_nothing_is_refused(opened: Opened) -> None:
    with pytest.raises(BadInput, match="would hold nothing"):
        opened().add("panel")
    assert list(opened().all()) == []


def test_removal_leaves_the_pictures(opened: Opened, tmp_path: Path) -> None:
    sample = opened().add("panel", good=[upload(1)]).good[0]
    opened().add("plate", good=[upload(1)])
    opened().remove("Panel")

    assert [p.name for p in opened().all()] == ["plate"] and opened().find("panel") is None
    FilePictures(tmp_path / "pictures").get(sample.sha256)


def test_what_is_not_there_is_said_with_what_is(opened: Opened) -> None:
    opened().add("plate", good=[upload(1)])

    with pytest.raises(BadInput, match="there is no product 'panel'; registered: plate"):
        opened().get("panel")
    with pytest.raises(BadInput, match="there is no product"):
        opened().remove("panel")


def test_a_broken_record_is_one_line(opened: Opened, tmp_path: Path) -> None:
    opened().add("plate", good=[upload(1)])
    (tmp_path / "products" / "plate" / "product.json").write_text("{}", encoding="utf-8")

    with pytest.raises(StoreError, match=r"product 'plate' cannot be read \(2 fields\)") as said:
        opened().get("plate")
    assert "\n" not in str(said.value)


@pytest.mark.parametrize("name", ["", " ", ".", "..", "../x", "a/b", "a\\b", "/etc", ".hidden", "a..b", "x" * 61, "con",
                                  "NUL.txt", "a\0b", "x:y", "a*", "end.", "~", "$HOME", "検" * 67])
def test_what_could_be_a_path_is_no_name(name: str) -> None:
    with pytest.raises(BadInput, match="cannot name a product") as said:
        checked_name(name)
    assert "\n" not in str(said.value) and len(str(said.value)) < 300


@given(st.text(max_size=70))
def test_a_name_is_one_part_of_a_path_and_stays_itself(text: str) -> None:
    try:
        name = checked_name(text)
    except BadInput:
        return
    assert Path(name).name == name and name not in {".", ".."} and checked_name(name) == name
