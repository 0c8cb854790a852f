"""Cards as `nvidia-smi` shows them: several, unequal, sliced, busy, and those that an environment names."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from kenpin.config import Settings
from kenpin.contracts.errors import BadInput, Unavailable
from kenpin.serving import cards, machine, planning
from kenpin.serving.cards import found, free_of_one_kind, read
from kenpin.serving.command import command, variables
from kenpin.serving.machine import Home

GPU = Home(python=Path("/env/bin/python"), device="gpu", version="0.32.0")
CPU = Home(python=Path("/env/bin/python"), device="cpu", version="0.32.0")
FOUR = """\
0, GPU-1f0c4d4e-5d0a-a7c3-6a0d-6a9d1f2b3c4d, NVIDIA H100 80GB HBM3, 81559, 4, Disabled
1, GPU-2b1c4d4e-5d0a-a7c3-6a0d-6a9d1f2b3c4d, NVIDIA H100 80GB HBM3, 81559, 4, Disabled
2, GPU-3a2c4d4e-5d0a-a7c3-6a0d-6a9d1f2b3c4d, NVIDIA H100 80GB HBM3, 81559, 70211, Disabled
3, GPU-4c3c4d4e-5d0a-a7c3-6a0d-6a9d1f2b3c4d, NVIDIA H100 80GB HBM3, 81559, 4, Disabled
"""
UNEQUAL = """\
0, GPU-aaaaaaaa-0000-0000-0000-000000000000, NVIDIA T400 4GB, 4096, 310, [N/A]
1, GPU-bbbbbbbb-0000-0000-0000-000000000000, NVIDIA RTX 6000 Ada Generation, 49140, 12, [N/A]
2, GPU-cccccccc-0000-0000-0000-000000000000, NVIDIA RTX 6000 Ada Generation, 49140, 12, [N/A]
"""
SLICED = """\
0, GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77, NVIDIA A100-SXM4-40GB, 40960, [Insufficient Permissions], Enabled
1, GPU-6e6ba0d6-d33d-2b2c-524d-9e3d8d2b8a77, NVIDIA A100-SXM4-40GB, 40960, 0, Enabled
"""
SHARED = "0, GPU-77777777-0000-0000-0000-000000000000, NVIDIA GB10, [N/A], [N/A], [N/A]\n"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    text = {"num_attention_heads": 32, "max_position_embeddings": 262144}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen3_vl", "text_config": text}))
    return tmp_path


@pytest.fixture
def shows(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make `nvidia-smi` print this, in a clean environment."""
    monkeypatch.setattr(machine, "find_home", lambda chosen: GPU)

    def set_to(text: str, **environ: str) -> None:
        monkeypatch.setattr(cards, "_asked", lambda *fields: text)
        monkeypatch.setattr(planning, "found", lambda: found(environ))
    return set_to


def made(model: Path, **more: Any) -> Any:
    return planning.made(Settings(home=Path("/data")), str(model), **more)


def test_what_is_printed_is_read() -> None:
    four = [card for _, card in read(FOUR)]
    assert [card.index for card in four] == [0, 1, 2, 3]
    assert four[0].total_gib == pytest.approx(79.6, abs=0.1)
    assert [card.free() for card in four] == [True, True, False, True]
    assert str(four[2]) == "2 (NVIDIA H100 80GB HBM3, 69 of 80 GiB in use)"
    assert [card.sliced for _, card in read(SLICED)] == [True, True]
    (shared,) = [card for _, card in read(SHARED)]
    assert (shared.total_gib, shared.free(), str(shared)) == (None, True, "0 (NVIDIA GB10)")
    assert read("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.") == []


def test_a_driver_without_slices_is_asked_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\ncase "$1" in *mig*) echo "Field \\"mig.mode.current\\" is not a valid field to query."; '
                       'exit 2;; esac\necho "0, GPU-1, Tesla V100-SXM2-16GB, 16384, 0"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (card,) = found({})
    assert (card.name, card.total_gib, card.sliced) == ("Tesla V100-SXM2-16GB", 16.0, False)


def test_a_card_in_use_is_left_out(shows: Any, model: Path) -> None:
    shows(FOUR)
    plan = made(model)
    assert (plan.cards, plan.visible) == (2, (0, 1))
    given = variables(plan)
    assert (given["CUDA_VISIBLE_DEVICES"], given["CUDA_DEVICE_ORDER"]) == ("0,1", "PCI_BUS_ID")
    assert command(plan)[command(plan).index("--tensor-parallel-size") + 1] == "2"
    with pytest.raises(Unavailable, match=r"4 card.* wanted, free and of one kind, and 3 found among .*69 of 80 GiB in use"):
        made(model, cards=4)
    shows(FOUR, CUDA_VISIBLE_DEVICES="2")
    with pytest.raises(Unavailable, match="69 of 80 GiB in use"):
        made(model)
    assert free_of_one_kind([card for _, card in read(FOUR)], share=0.1)[2].index == 2


def test_unequal_cards_do_not_share_a_model(shows: Any, model: Path) -> None:
    shows(UNEQUAL)
    plan = made(model)
    assert (plan.cards, plan.visible) == (2, (1, 2))
    with pytest.raises(Unavailable, match=r"4 card.* wanted and 3 found"):
        made(model, cards=4)


def test_sliced_cards_are_used_alone(shows: Any, model: Path) -> None:
    shows(SLICED)
    assert (made(model).cards, made(model).visible) == (1, (0,))
    shows(SLICED, CUDA_VISIBLE_DEVICES="MIG-9a3b1c2d-0000-0000-0000-000000000000")
    plan = made(model)
    assert (plan.cards, plan.visible) == (1, None)
    assert "CUDA_VISIBLE_DEVICES" not in variables(plan)


def test_the_environment_names_cards_as_cuda_reads_it() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cards, "_asked", lambda *fields: FOUR)
        assert [card.index for card in found({"CUDA_VISIBLE_DEVICES": "3,0"})] == [3, 0]
        assert [card.index for card in found({"CUDA_VISIBLE_DEVICES": "GPU-4c3c,1"})] == [3, 1]
        assert [card.index for card in found({"CUDA_VISIBLE_DEVICES": "1,-1,2"})] == [1]
        assert [card.index for card in found({"CUDA_VISIBLE_DEVICES": "0,9,1"})] == [0]
        assert found({"CUDA_VISIBLE_DEVICES": ""}) == ()
        patch.setattr(cards, "_asked", lambda *fields: "")
        assert found({}) == ()
        assert len(found({"CUDA_VISIBLE_DEVICES": "0,1"})) == 2


def test_all_cards_of_a_machine_are_left_to_the_server(shows: Any, model: Path) -> None:
    shows(FOUR.replace("70211", "4"))
    plan = made(model)
    assert (plan.cards, plan.visible) == (4, None)


def test_weights_that_cannot_fit_are_said_at_once(shows: Any, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (model / "model.safetensors").open("wb") as file:
        file.truncate(62 * 2**30)
    shows(UNEQUAL, CUDA_VISIBLE_DEVICES="1")
    with pytest.raises(Unavailable, match=r"weights are 62 GiB, and the 1 card\(s\) to serve it on have 48"):
        made(model)
    shows(UNEQUAL)
    assert made(model).cards == 2
    monkeypatch.setattr(machine, "find_home", lambda chosen: CPU)
    monkeypatch.setattr(machine, "free_memory_gib", lambda: 24.0)
    with pytest.raises(Unavailable, match=r"62\.0 GiB.* 24\.0 GiB of memory that are free"):
        made(model)


def test_a_model_that_takes_no_pictures_is_refused(shows: Any, model: Path) -> None:
    shows(FOUR)
    (model / "config.json").write_text(json.dumps({"model_type": "qwen3", "num_attention_heads": 32}))
    with pytest.raises(BadInput, match="takes no pictures"):
        made(model)
    (model / "config.json").write_text(json.dumps({"model_type": "other", "vision_config": {}}))
    assert made(model).cards == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_weights_that_this_user_may_not_read(shows: Any, model: Path) -> None:
    shows(FOUR)
    (model / "model.safetensors").touch(mode=0o000)
    with pytest.raises(Unavailable, match="may not read"):
        made(model)


def test_memory_and_threads_of_a_cpu_are_as_the_environment_says() -> None:
    assert machine.cache_gib({"VLLM_CPU_KVCACHE_SPACE": "3"}) == 3
    assert 1 <= machine.cache_gib({}) <= 16
    assert 0 < machine.free_memory_gib() <= machine.memory_gib()
