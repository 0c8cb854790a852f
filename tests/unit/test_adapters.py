"""What would be left out of an adapter, or served wrongly, is one line before the server hears of it."""

import json
import os
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kenpin.adapters.base import layers_of
from kenpin.adapters.checking import check
from kenpin.adapters.header import tensors
from kenpin.adapters.keeping import checked_name, keep, kept_folder, offered, sha256_of
from kenpin.adapters.turns import Turns
from kenpin.config import Settings
from kenpin.contracts.errors import BadInput, FileRefused, Unavailable

double = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "adapters_double.py")))
Q = double.AT.format(0, "q_proj")
NAMES = (f"{double.PREFIX}{Q}.lora_A.weight", f"{double.PREFIX}{Q}.lora_B.weight")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return layers_of(str(double.model(tmp_path_factory.mktemp("served") / "model")))


def test_an_adapter_that_fits_has_a_rank(base: Any, tmp_path: Path) -> None:
    several = {**double.layer(Q), **double.layer("model.language_model.layers.0.mlp.up_proj", outputs=96)}
    assert check(double.adapter(tmp_path / "a", several), "a", base) == double.RANK
    assert check(double.adapter(tmp_path / "b", use_rslora=True, init_lora_weights="gaussian"), "b", base) == 4
    half = {name: value.astype(np.float16) for name, value in double.layer(Q).items()}
    assert check(double.adapter(tmp_path / "c", half), "c", base) == 4


def brain(values: dict[str, Any], last: int) -> dict[str, Any]:
    """The same as BF16, the last number of each given by its bits."""
    made = {}
    for name, value in values.items():
        bits = (value.view(np.uint32) >> 16).astype("<u2")
        bits.flat[-1] = last
        made[name] = ("BF16", value.shape, bits.tobytes())
    return made


def test_a_bf16_adapter_fits_and_its_infinities_are_seen(base: Any, tmp_path: Path) -> None:
    assert check(double.adapter(tmp_path / "a", brain(double.layer(Q), 0x3F80)), "a", base) == 4
    with pytest.raises(BadInput, match="not finite"):
        check(double.adapter(tmp_path / "b", brain(double.layer(Q), 0xFF80)), "b", base)
    zeros = {name: ("BF16", value.shape, (np.full(value.shape, 0x8000, "<u2") if "lora_B" in name
                                          else (value.view(np.uint32) >> 16).astype("<u2")).tobytes())
             for name, value in double.layer(Q).items()}
    with pytest.raises(BadInput, match="every lora_B is zero"):
        check(double.adapter(tmp_path / "c", zeros), "c", base)


@pytest.mark.parametrize(("change", "words"), [
    ({"peft_type": "LOHA"}, "kind LOHA"), ({"use_dora": True}, "sets use_dora"), ({"bias": "all"}, "sets bias"),
    ({"lora_bias": True}, "sets lora_bias"), ({"modules_to_save": ["lm_head"]}, "sets modules_to_save"),
    ({"init_lora_weights": "pissa"}, "sets init_lora_weights"), ({"init_lora_weights": 1}, "sets init_lora_weights"),
    ({"rank_pattern": {"q_proj": 8}}, "sets rank_pattern"), ({"alpha_pattern": {"(a+)+$": 1}}, "sets alpha_pattern"),
    ({"trainable_token_indices": [1]}, "sets trainable_token_indices"), ({"use_qalora": True}, "sets use_qalora"),
    ({"layer_replication": [[0, 2]]}, "sets layer_replication"), ({"something_new": {"a": 1}}, "sets something_new"),
    ({"fan_in_fan_out": True}, "sets fan_in_fan_out"), ({"lora_alpha": None}, "lora_alpha must be"),
    ({"lora_alpha": True}, "lora_alpha must be"), ({"r": 1024}, "rank 1024; 1 to 512"), ({"r": 0}, "rank 0"),
    ({"r": True}, "rank True"), ({"r": 8}, r"lora_A of \S+ has the shape 4×32; 8×32 fits")])
def test_what_its_configuration_asks_for_and_is_not_served(base: Any, tmp_path: Path, change: dict[str, Any],
                                                           words: str) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        check(double.adapter(tmp_path / "a", **change), "a", base)
    assert "\n" not in str(caught.value)


def edited(**change: Any) -> dict[str, Any]:
    return {**double.layer(Q), **change}


@pytest.mark.parametrize(("made", "words"), [
    (lambda: edited(**double.layer("model.visual.blocks.0.attn.qkv", outputs=96)), "1 layers of the picture encoder"),
    (lambda: double.layer(double.AT.format(7, "q_proj")), "1 layers that the served model does not have"),
    (lambda: double.layer("model.layers.0.self_attn.q_proj"), "trained on another model"),
    (lambda: double.layer("model.language_model.layers.0.input_layernorm"), "does not have"),
    (lambda: double.layer(Q, inputs=16, outputs=16), r"shape 4×16; 4×32 fits"),
    (lambda: double.layer(Q, outputs=64), r"lora_B of \S+ has the shape 64×4; 32×4 fits"),
    (lambda: double.layer(Q, rank=8), r"shape 8×32; 4×32 fits"),
    (lambda: double.layer("lm_head", outputs=64), "without it too"),
    (lambda: edited(**{f"{double.PREFIX}model.language_model.embed_tokens.lora_embedding_A":
                       np.ones((4, 64), np.float32)}), "without it too"),
    (lambda: edited(**{f"{double.PREFIX}{Q}.lora_magnitude_vector": np.ones(32, np.float32)}), "is no lora_A or"),
    (lambda: edited(**{f"{double.PREFIX}{Q}.base_layer.weight": np.ones((32, 32), np.float32)}), "is no lora_A or"),
    (lambda: edited(**{f"{Q}.lora_A.weight": np.ones((4, 32), np.float32)}), "is no lora_A or"),
    (lambda: {NAMES[0]: double.layer(Q)[NAMES[0]]}, "only one of lora_A and lora_B"),
    (lambda: {NAMES[1]: double.layer(Q)[NAMES[1]]}, "only one of lora_A and lora_B"),
    (lambda: edited(**{NAMES[1]: np.zeros((32, 4), np.float32)}), "every lora_B is zero"),
    (lambda: edited(**{NAMES[0]: np.full((4, 32), np.nan, np.float32)}), "lora_A .* not finite"),
    (lambda: edited(**{NAMES[1]: np.full((32, 4), np.inf, np.float16)}), "lora_B .* not finite"),
    (lambda: edited(**{NAMES[1]: np.ones((32, 4), np.int32)}), "type I32"),
    (dict, "holds no layer")])
def test_layers_that_would_be_left_out_or_taken_wrongly(base: Any, tmp_path: Path, made: Any, words: str) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        check(double.adapter(tmp_path / "a", made()), "a", base)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("body", [
    b"", b"\x00" * 8, b"\xff" * 8 + b"{}", b"\x02" + b"\x00" * 7 + b"[]", b"\x03" + b"\x00" * 7 + b"{}",
    b"\x10\x27" + b"\x00" * 6 + b"[" * 10_000])
def test_a_file_that_is_no_adapter(base: Any, tmp_path: Path, body: bytes) -> None:
    folder = double.adapter(tmp_path / "a")
    (folder / "adapter_model.safetensors").write_bytes(body)
    with pytest.raises(BadInput, match="holds no"):
        check(folder, "a", base)


@pytest.mark.parametrize("change", [{"data_offsets": [0, 8]}, {"shape": [-4, 32]}, {"shape": [4.0, 32]}, {"dtype": None},
                                    {"data_offsets": [512, 0]}, {"data_offsets": [10**9, 10**9 + 512]}, {"shape": 4}])
def test_a_header_that_lies_is_no_header(tmp_path: Path, change: dict[str, Any]) -> None:
    file = double.adapter(tmp_path / "a") / "adapter_model.safetensors"
    raw = file.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + length])
    header[NAMES[0]].update(change)
    if header[NAMES[0]]["dtype"] is None:
        del header[NAMES[0]]["dtype"]
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length:])
    with pytest.raises(ValueError, match=r"."):
        tensors(file)


def test_a_file_that_was_cut_off_is_seen(base: Any, tmp_path: Path) -> None:
    folder = double.adapter(tmp_path / "a")
    file = folder / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(FileRefused, match="holds no LoRA adapter"):
        check(folder, "a", base)


def test_older_and_newer_names_of_a_family_are_one(tmp_path: Path) -> None:
    """Checkpoints of Qwen2.5-VL name layers as older code did; adapters as newer code does. vLLM takes both."""
    folder = double.model(tmp_path / "model", "qwen2_5_vl")
    older = {"model.layers.0.self_attn.q_proj.weight": np.zeros((32, 32), np.float16)}
    double.save(folder / "model.safetensors", older)
    base = layers_of(str(folder))
    assert base is not None
    assert base.shape(Q) == base.shape("model.layers.0.self_attn.q_proj") == (32, 32)
    assert base.shape(double.AT.format(1, "q_proj")) is None


def test_the_files_of_a_model_that_was_downloaded_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    there = tmp_path / "hub" / "models--Some--Model"
    double.model(there / "snapshots" / "abc123")
    (there / "refs").mkdir()
    (there / "refs" / "main").write_text("abc123")
    base = layers_of("Some/Model")
    assert base is not None
    assert base.shape(Q) == (32, 32)
    (there / "refs" / "main").write_text("../../elsewhere")
    assert layers_of("Some/Model") is layers_of("Other/Model") is layers_of("/no/such/folder") is None


@pytest.mark.parametrize("name", ["", "..", ".", "a/b", "../a", "a\\b", "/etc", "a\x00b", "a b", ".hidden", "a..b", "a.",
                                  "é", "a\n", "-a", "a" * 65, "検品", "%2e%2e"])
def test_a_name_is_never_a_path(name: str) -> None:
    with pytest.raises(BadInput, match="the name of an adapter is"):
        checked_name(name)
    with pytest.raises(BadInput, match="the name of an adapter is"):
        keep(Settings(home=Path("/nowhere")), name, base=None)  # type: ignore[arg-type]


def test_a_copy_is_kept_under_its_hash(base: Any, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    folder = double.adapter(tmp_path / "adapters" / "line-a")
    sha256, rank = keep(settings, "line-a", base)
    assert rank == double.RANK
    copy = kept_folder(settings) / sha256
    assert sha256_of(copy) == sha256_of(folder) == sha256
    assert sorted(path.name for path in copy.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert keep(settings, "line-a", base) == (sha256, rank), "the same again is the same copy"
    double.adapter(tmp_path / "adapters" / "line-a", seed=2)
    assert keep(settings, "line-a", base)[0] != sha256
    assert sha256_of(copy) == sha256
    assert offered(settings) == ["line-a"]
    assert len(list(kept_folder(settings).iterdir())) == 2, "no unfinished copy is left"


def test_nothing_outside_the_folder_is_read(base: Any, tmp_path: Path) -> None:
    settings, inside = Settings(home=tmp_path / "home", adapters=tmp_path / "allowed"), tmp_path / "allowed"
    outside = double.adapter(tmp_path / "outside")
    inside.mkdir()
    (inside / "link").symlink_to(outside)
    double.adapter(inside / "file")
    (inside / "file" / "adapter_model.safetensors").unlink()
    (inside / "file" / "adapter_model.safetensors").symlink_to(outside / "adapter_model.safetensors")
    double.adapter(inside / "pipe")
    (inside / "pipe" / "adapter_config.json").unlink()
    os.mkfifo(inside / "pipe" / "adapter_config.json")
    (inside / "empty").mkdir()
    for name, words in (("link", "it is a link"), ("file", "is a link or cannot be read"), ("pipe", "no plain file"),
                        ("none", "no such folder"), ("empty", "holds no LoRA adapter")):
        with pytest.raises(FileRefused, match=words):
            keep(settings, name, base)
    assert list(kept_folder(settings).iterdir()) == []
    assert offered(settings) == ["empty", "file", "pipe"]
    kept_folder(settings).rmdir()
    kept_folder(settings).symlink_to(outside)
    with pytest.raises(FileRefused, match="is a link"):
        keep(settings, "empty", base)


def test_an_adapter_is_alone_only_without_turns(tmp_path: Path) -> None:
    turns, elsewhere = Turns(tmp_path / "lock"), Turns(tmp_path / "lock")
    with turns.using("a"), turns.using("a"), turns.using(None):
        with turns.alone("a") as free:
            assert not free
        with turns.alone("b") as free:
            assert free
    with turns.alone("a") as free:
        assert free
        with pytest.raises(Unavailable, match="being unloaded"), turns.using("a"):
            pass
        with turns.alone("a") as again:
            assert not again
    with turns.using("a"):
        pass
    # Locks of files count between processes; a second one holds it for a moment.
    ready, done = os.pipe(), os.pipe()
    if (child := os.fork()) == 0:
        with elsewhere.using("a"):
            os.write(ready[1], b".")
            os.read(done[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    with turns.alone("a") as free:
        assert not free
    with turns.using("a"):
        pass
    os.write(done[1], b".")
    os.waitpid(child, 0)
    with turns.alone("a") as free:
        assert free
