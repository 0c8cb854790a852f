"""Pictures to try Kenpin on. `samples.yaml` says what fits them, `ATTRIBUTION.md` where they are from."""

from pathlib import Path

SAMPLES = Path(__file__).parent
