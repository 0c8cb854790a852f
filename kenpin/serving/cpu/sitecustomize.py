"""On the path of the CPU server alone: lets the Python part of torchvision load without its compiled operators.

PyPI has torchvision for CUDA only; without CUDA its operators cannot be loaded, and `import torchvision` then fails on
`torchvision::nms`, which nothing that reads pictures ever calls. The two operators whose shapes it registers are
declared (not written: a call of one is an error) when torchvision is first imported.
"""

import sys
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any

OPERATORS = ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
             "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
_KEPT: list[Any] = []
"""Declarations last as long as the object that made them."""


class _Declare(MetaPathFinder):
    """Declares the operators just before torchvision is imported, and finds nothing itself."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname == "torchvision" and not _KEPT:
            # By name: this file is on the server's path, and Kenpin's own environment has no torch.
            library = import_module("torch").library.Library("torchvision", "DEF")
            _KEPT.append(library)
            for operator in OPERATORS:
                library.define(operator)
        return None


sys.meta_path.insert(0, _Declare())
