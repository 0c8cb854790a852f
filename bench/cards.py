"""Which model fits which card: the table of docs/serving.md, computed from the models' published configurations.

    python -m bench.cards

On paper: nothing is run. Weights in bf16 and FP8, keys and values in bf16. A card gives vLLM its default share; what
the weights and the encoder with its activations leave holds keys and values, of all dialogues together.
"""

from dataclasses import dataclass

from kenpin.serving.cards import SHARE

BESIDE_GB = 3.2
"""Kept for the picture encoder's activations and the graph's buffers: an assumption, on the safe side."""
SIZES_GB = (16, 24, 48, 80)
HEAD = 128
BYTES = 2
"""Of one number of keys and values."""


@dataclass(frozen=True)
class Served:
    """A model by its published configuration."""

    name: str
    bf16_gb: float
    fp8_gb: float
    layers: int
    kv_heads: int

    @property
    def token_bytes(self) -> int:
        """Keys and values of one token, all layers."""
        return self.layers * self.kv_heads * HEAD * 2 * BYTES

    def tokens(self, card_gb: float, weights_gb: float, cards: int = 1) -> int:
        """Tokens that fit beside the weights; 0 if these do not."""
        left = cards * (SHARE * card_gb - BESIDE_GB) - weights_gb
        return max(int(left * 1e9 / self.token_bytes), 0)


MODELS = (
    Served("Qwen3-VL 4B", 9, 5, layers=36, kv_heads=8),
    Served("Qwen3-VL 8B", 17.5, 9.5, layers=36, kv_heads=8),
    Served("Qwen3-VL 30B-A3B", 62, 32, layers=48, kv_heads=4),
)


def table() -> list[str]:
    """The lines of the table, as Markdown."""
    lines = [
        f"| model | weights bf16 / FP8, GB | KV a token | {' | '.join(f'{size} GB' for size in SIZES_GB)} |",
        "| --- " * (3 + len(SIZES_GB)) + "|",
    ]
    for model in MODELS:
        cells = (f"{_said(model.tokens(size, model.bf16_gb))} / {_said(model.tokens(size, model.fp8_gb))}"
                 for size in SIZES_GB)
        lines.append(f"| {model.name} | {model.bf16_gb:g} / {model.fp8_gb:g} | {model.token_bytes // 1024} KiB | "
                     f"{' | '.join(cells)} |")
    return lines


def _said(tokens: int) -> str:
    return f"{tokens // 1000 * 1000:,}" if tokens >= 1000 else "–"


if __name__ == "__main__":
    print("\n".join(table()))
