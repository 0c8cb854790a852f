"""Where an instruction points, and where a word that looks like a place is none."""

import pytest

from agent.language.slots import slots_of


@pytest.mark.parametrize(
    ("said", "region"),
    [
        ("25mm以上の傷は不良。1mm=4px", None),  # "or more", not "upper"
        ("2つ以上の穴があれば不良", None),
        ("3mm以下の傷は良品", None),
        ("上の傷を見て", "upper"),
        ("3mm以下の下側の傷", "lower"),
        ("Reject scratches over 25 mm.", None),
        ("Look at the upper left.", "upper left"),
    ],
)
def test_a_limit_is_no_place(said: str, region: str | None) -> None:
    assert slots_of(said).region == region
