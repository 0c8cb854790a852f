"""Fit the router from the instruction store: `python -m agent.router.fit`. The only file that needs scikit-learn."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from agent.router.features import DIM, text_features
from agent.router.model import ACTS, FILE, INTENTS, vector

NEVER = -20.0
"""Bias of an intent that no instruction shows."""
RARE = 3
"""Features that fewer instructions hold are left out."""
STORE = Path(__file__).parents[2] / "prompts" / "instructions"


def examples() -> list[dict[str, Any]]:
    """The instruction store, both languages."""
    paths = sorted(STORE.glob("*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


def fit(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Weights of one logistic regression an intent and one over the acts."""
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    df = np.zeros(DIM)
    for row in rows:
        df[list(text_features(row["text"]))] += 1
    idf = np.sqrt(np.log((1 + len(rows)) / (1 + df)) + 1).astype(np.float32)
    # What hardly anybody says carries no weight; it would only dilute what is known of a sentence.
    idf[df < RARE] = 0.0
    vectors = [vector(row["text"], row["context"], idf) for row in rows]
    at = np.cumsum([0, *(len(b) for b, _ in vectors)])
    values, buckets = (np.concatenate([pair[i] for pair in vectors]) for i in (1, 0))
    x = csr_matrix((values, buckets, at), shape=(len(rows), DIM))
    weights, bias = [], []
    for intent in INTENTS:
        wished = [intent in row["intents"] for row in rows]
        if not any(wished):
            weights.append(np.zeros(DIM))
            bias.append(NEVER)
            continue
        model = LogisticRegression(C=30, solver="liblinear", max_iter=300, random_state=0)
        model.fit(x, wished)
        weights.append(model.coef_[0])
        bias.append(model.intercept_[0])
    model = LogisticRegression(C=15, max_iter=300).fit(x, [ACTS.index(row["act"]) for row in rows])
    return {"idf": idf.astype(np.float16), "weights": np.vstack([*weights, *model.coef_]).astype(np.float16),
            "bias": np.array([*bias, *model.intercept_], np.float32)}


def main() -> None:
    """Fit on the whole store and write the model beside this file."""
    np.savez_compressed(FILE, **fit(examples()))


if __name__ == "__main__":
    main()
