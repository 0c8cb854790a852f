"""Tell lettering from things that repeat."""

import numpy as np

from kenpin.contracts.view import Box
from tools.counting.items import Item, features

STROKE = 0.48
"""Strokes of letters are thinner than this share of their height."""


def text_lines(items: list[Item], *, highest: float) -> list[Box]:
    """Boxes around lines of text among the shapes of one mask.

    Letters are drawn with thin strokes, stand close to each other on one line, have one height and different shapes;
    pins and slots in a row have one shape. Letters higher than `highest` px are not looked for.
    """
    strokes = [item for item in items if item.thickness < STROKE * _height(item) < STROKE * highest]
    return [_around(_absorbed(line, items)) for line in _lines(strokes) if len(line) >= 4 and _varied(line)]


def outside(items: list[Item], lines: list[Box]) -> list[Item]:
    """Those shapes that do not lie in a line of text."""
    return [item for item in items if not any(_inside(item, line) for line in lines)]


def _inside(item: Item, line: Box) -> bool:
    """Whether most of an item lies in a line of text and it is not much higher than the line."""
    x, y = item.centre
    return line[0] <= x <= line[2] and line[1] <= y <= line[3] and _height(item) < 1.3 * (line[3] - line[1])


def _around(items: list[Item]) -> Box:
    boxes = np.array([item.box for item in items])
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    return (int(low[0]), int(low[1]), int(high[0]), int(high[1]))


def _absorbed(line: list[Item], items: list[Item]) -> list[Item]:
    """A line with the hyphens, dots and bold letters beside it."""
    height = float(np.median([_height(item) for item in line]))
    low, high = min(item.box[1] for item in line) - 0.2 * height, max(item.box[3] for item in line) + 0.2 * height
    found = list(line)
    for _ in range(3):
        left, right = min(item.box[0] for item in found), max(item.box[2] for item in found)
        found = [item for item in items if item.box[1] >= low and item.box[3] <= high
                 and left - 1.3 * height <= item.box[0] and item.box[2] <= right + 1.3 * height]
    return found


def _height(item: Item) -> float:
    return float(item.box[3] - item.box[1])


def _lines(items: list[Item]) -> list[list[Item]]:
    """Chains of neighbours from left to right with one height and one base line."""
    left = sorted(items, key=lambda item: item.box[0])
    lines: list[list[Item]] = []
    for item in left:
        for line in lines:
            last = line[-1]
            height = max(_height(item), _height(last))
            if (item.box[0] - last.box[2] < 1.3 * height and abs(item.box[3] - last.box[3]) < 0.3 * height
                    and min(_height(item), _height(last)) > 0.55 * height):
                line.append(item)
                break
        else:
            lines.append([item])
    return lines


def _varied(line: list[Item]) -> bool:
    """Whether the shapes differ as letters do."""
    table = features(line)[:, 1:]
    gap = np.linalg.norm(table[:, None] - table[None], axis=2)
    return bool(np.median(gap[np.triu_indices(len(line), 1)]) > 0.8)
