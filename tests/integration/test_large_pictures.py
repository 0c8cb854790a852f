"""A 50-megapixel picture through every tool, each in a process of its own: memory stays bounded."""

import pytest

from bench.large import MOST, TRIALS, in_process
from tools.catalog import CATALOG

pytestmark = [pytest.mark.large, pytest.mark.timeout(300)]


def test_every_tool_has_a_trial():
    assert {tool for tool, *_ in TRIALS.values()} == set(CATALOG)


@pytest.mark.parametrize("name", TRIALS)
def test_peak_memory(name):
    assert in_process(name)["peak_mib"] < MOST / 2**20
