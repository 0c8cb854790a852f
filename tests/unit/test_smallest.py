"""The smallest defect that an instruction asks for."""

import pytest

from agent.language.smallest import Smallest, smallest_of
from kenpin.contracts.verdict import Criterion, Op


@pytest.mark.parametrize(("say", "mm", "px"), [
    ("Find scratches down to 0.1 mm", 0.1, None),
    ("can this picture show a 50 um crack?", 0.05, None),
    ("look for pits as small as 4 px", None, 4.0),
    ("is the resolution enough to see 0.2 mm scratches?", 0.2, None),
    ("0.2mmまでのキズを検出して", 0.2, None),
    ("最小欠陥は0.05mmです。画質は足りますか", 0.05, None),
    ("0.3mm程度の傷も見つけて", 0.3, None)])
def test_sizes_that_must_be_seen(say, mm, px):
    assert smallest_of(say) == Smallest(px=px, mm=mm)


@pytest.mark.parametrize("say", [
    "How long is the 30 mm edge?", "The markers are 10 mm", "Find scratches", "1 px = 0.05 mm, find scratches",
    "scratches over 0.5 mm are NG", "穴の直径は6mmです", "find 3 washers"])
def test_other_sizes_say_nothing(say):
    assert smallest_of(say) == Smallest()


def test_a_limit_on_a_defect_says_it_as_well():
    limits = (Criterion(of="scratch", quantity="length", op=Op.LE, value=0.5, unit="mm"),
              Criterion(of="pit", quantity="diameter", op=Op.LE, value=0.2, unit="mm"),
              Criterion(of="hole", quantity="diameter", op=Op.LE, value=0.1, unit="mm"),
              Criterion(of="crack", quantity="count", op=Op.LE, value=0))
    assert smallest_of("Judge it", limits) == Smallest(mm=0.2)
