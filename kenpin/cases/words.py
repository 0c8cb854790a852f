"""Words to vectors without a model: concepts of inspection in English and Japanese, and character n-grams.

「傷」 finds "scratch" because both are the same concept; "scrathc" finds it because most of its n-grams are the same.
"""

import re
import unicodedata
import zlib
from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

WORDS_DIM = 1024

_TABLE = """
scratch: scratch, scuff, score mark, scoring, 傷, キズ, きず, 疵, スクラッチ, 擦り傷, 線傷, ひっかき, 擦過
crack: crack, fracture, split, fissure, crazing, 割れ, ワレ, ひび, ヒビ, クラック, 亀裂, き裂
pit: pit, pitting, spall, flaking, pinhole, pin hole, blowhole, porosity, void, ピット, ピッチング, 剥離,
    はく離, フレーキング, 孔食, ピンホール, 巣, ブローホール, くぼみ
dent: dent, ding, indentation, bump, nick, 打痕, 凹み, へこみ, ヘコミ, 凹, 打ちキズ
stain: stain, spot, soil, dirt, smudge, discolour, discolor, contaminat, 染み, シミ, しみ, 汚れ, よごれ,
    ヨゴレ, 変色, 斑点, 付着
burr: burr, flash, バリ, ばり, かえり
chip: chip, broken edge, 欠け, カケ, チッピング, 欠損
missing: missing, absent, lost, 欠品, 抜け, 未装着, 入れ忘れ
foreign: foreign, debris, particle, residue, 異物, ゴミ, ごみ, 混入, コンタミ, 異品
bubble: bubble, blister, 気泡, 泡, 膨れ, フクレ
corrosion: corrosion, corroded, rust, oxid, 錆, さび, サビ, 腐食, 酸化
wear: wear, worn, abrasion, 摩耗, 磨耗, すり減り, 摩滅
deform: deform, bent, warp, distort, 変形, 曲がり, 反り, 歪み, ゆがみ
scrap: scrap, discard, 廃棄, 廃却, スクラップ
rework: rework, repair, clean, polish, 手直し, 再加工, 修理, 清掃, 洗浄, 研磨
use-as-is: use as is, accept, concession, 特採, 特別採用, そのまま使用, 許容
return: return to supplier, returned, 返品, 返却
supplier: supplier, vendor, 仕入先, サプライヤ, 外注
tool: tooling, cutter, mould, mold, punch, 金型, 工具, 刃具
lubrication: lubricat, grease, oil, coolant, 潤滑, グリース, 油, オイル, 切削液
handling: handling, transport, dropped, collision, 搬送, 運搬, 落下, 取り扱い, 取扱, ぶつけ
fatigue: fatigue, overload, 疲労, 過負荷, 過大荷重
drawing: deep draw, deep-draw, drawn, stamping, 絞り, プレス
housing: housing, casing, ハウジング, 筐体
screw: ball screw, ballscrew, spindle, ボールねじ, ボールネジ, スピンドル
fabric: fabric, cloth, textile, 布, 生地, 織物, テキスタイル
nut: hazelnut, nut, ナッツ, ヘーゼルナッツ, 木の実
"""
"""Each concept with the beginnings of English words and the Japanese words that name it; indented lines go on."""


def _read_table() -> dict[str, tuple[str, ...]]:
    joined = _TABLE.strip().replace("\n    ", " ")
    pairs = (line.split(": ", 1) for line in joined.splitlines())
    return {name: tuple(word.strip() for word in words.split(",")) for name, words in pairs}


CONCEPTS = _read_table()

CONCEPT_WEIGHT, WORD_WEIGHT, GRAM_WEIGHT = 1.0, 0.5, 0.35
_STOP = frozenset(re.findall(r"\w+", """a an the of on in at to for and or with by is was were be from it this that are
    as no not any all の は が を に で と も や から まで する した された です ます ある いる こと もの"""))
_RUNS = re.compile(r"[a-z0-9]+|[ぁ-ん]+|[ァ-ヶー]+|[一-龠々]+")


def words_vector(text: str) -> NDArray[np.float32]:
    """(1024,) float32 unit vector of a text; a text without letters gives one that is alike to nothing.

    Source: feature hashing with signs (Weinberger et al. 2009) of concepts, words and character 2- to 4-grams.
    """
    vector = np.zeros(WORDS_DIM, dtype=np.float64)
    for feature, weight in _features(unicodedata.normalize("NFKC", text).lower()):
        place = zlib.crc32(feature.encode())
        vector[place % WORDS_DIM] += weight if place & 0x8000_0000 else -weight
    length = float(np.linalg.norm(vector))
    if length == 0.0:
        vector[0] = length = 1.0
    return np.asarray(vector / length, dtype=np.float32)


def concepts(text: str) -> tuple[str, ...]:
    """Concepts that a text names, in the order of the table."""
    plain = unicodedata.normalize("NFKC", text).lower()
    return tuple(name for name, pattern in _patterns().items() if pattern.search(plain))


def _features(plain: str) -> Iterator[tuple[str, float]]:
    for concept in concepts(plain):
        yield f"c:{concept}", CONCEPT_WEIGHT
    runs = [run for run in _RUNS.findall(plain) if run not in _STOP]
    for run in runs:
        yield f"w:{run}", WORD_WEIGHT
        padded = f"^{run}$"
        grams = [padded[i:i + n] for n in (2, 3, 4) for i in range(len(padded) - n + 1)]
        for gram in grams:
            yield f"g:{gram}", GRAM_WEIGHT / len(grams) ** 0.5


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    """English words must begin where the text's word begins (`scratch` is no `scratchpad` problem, `unit` no `nit`)."""
    def one(word: str) -> str:
        word = re.escape(unicodedata.normalize("NFKC", word).lower())
        return rf"\b{word}" if word.isascii() else word

    return {name: re.compile("|".join(one(word) for word in names)) for name, names in CONCEPTS.items()}
