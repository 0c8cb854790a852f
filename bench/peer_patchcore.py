"""anomalib's PatchCore behind a pipe, for `bench/peers.py`; runs in an environment of its own.

One JSON line in, one out: `{"learn": [pictures], "side": 256 or null}` learns good samples (null keeps the aspect
ratio at Kenpin's size), `{"score": picture, "map": file}` answers `{"score", "ms"}` and writes the map. Pictures and
maps are .npy files. The network is EfficientNet-Lite0 with the weights that Kenpin ships, in float32, and PatchCore's
own ways: features of stride 8 and 16, 3x3 average, a tenth of the patches by k-centre-greedy, nine neighbours for the
score.
"""

import json
import sys
import time
from typing import Any

import numpy as np
import torch

AREA = 300_000
LAYERS = ("stride8", "stride16b")


def without_operators() -> None:
    """Let the Python part of torchvision load where its compiled operators do not fit the installed torch."""
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    globals()["_kept"] = library


def patchcore() -> Any:
    """An empty PatchCore over EfficientNet-Lite0."""
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel
    from export_backbone import load

    class Extractor(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = load()

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            found = self.net(x.permute(0, 2, 3, 1))
            return {"stride8": found[0], "stride16b": found[2]}

    model = PatchcoreModel(layers=LAYERS, backbone="resnet18", pre_trained=False)
    model.feature_extractor = Extractor()
    return model


def shown(path: str, side: int | None) -> torch.Tensor:
    """A picture as the network sees it, (1, 3, h, w) float32 0..255."""
    rgb = np.load(path)
    height, width = rgb.shape[:2]
    if side is None:
        factor = min(1.0, (AREA / (height * width)) ** 0.5)
        size = [max(4, round(v * factor / 16)) * 16 for v in (height, width)]
    else:
        size = [side, side]
    whole = torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None].float()
    return torch.nn.functional.interpolate(whole, size=size, mode="bilinear", antialias=True, align_corners=False)


class Peer:
    """PatchCore with what it has learnt."""

    def __init__(self) -> None:
        self.model: Any = None
        self.side: int | None = None
        self.unit = 1.0

    def learn(self, pictures: list[str], side: int | None) -> dict[str, Any]:
        """Fill the memory from good samples."""
        started = time.perf_counter()
        torch.manual_seed(0)
        self.model, self.side = patchcore(), side
        self.model.train()
        with torch.no_grad():
            for path in pictures:
                self.model(shown(path, side))
            self.model.subsample_embedding(0.1)
        self.model.eval()
        # Its distances have no unit; good samples' own make 1, so that the map's grey levels keep them apart.
        with torch.no_grad():
            self.unit = max(float(self.model(shown(path, side)).anomaly_map.mean()) for path in pictures) or 1.0
        return {"ms": 1000 * (time.perf_counter() - started)}

    def score(self, picture: str, target: str) -> dict[str, Any]:
        """Score a picture and write its map."""
        started = time.perf_counter()
        with torch.no_grad():
            said = self.model(shown(picture, self.side))
        ms = 1000 * (time.perf_counter() - started)
        np.save(target, (said.anomaly_map[0, 0] / self.unit).numpy().astype(np.float32))
        return {"score": float(said.pred_score), "ms": ms}


def main() -> None:
    """Answer line by line until standard input ends."""
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    without_operators()
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever a library prints must not reach the pipe
    peer = Peer()
    for line in sys.stdin:
        asked = json.loads(line)
        learns = "learn" in asked
        said = peer.learn(asked["learn"], asked["side"]) if learns else peer.score(asked["score"], asked["map"])
        answers.write(json.dumps(said) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
