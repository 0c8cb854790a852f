"""Describing many cases: several at once, with few pictures in memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from kenpin.cases.likeness import Part, Vectors, describe_case
from kenpin.contracts.case import Case
from kenpin.contracts.ports import Embedder, PictureStore

Item = TypeVar("Item")
Result = TypeVar("Result")


def described(embedder: Embedder, cases: Iterable[Case], pictures: PictureStore,
              ) -> Iterator[tuple[Case, Mapping[Part, Vectors]]]:
    """Each case with its vectors, from its stored picture; `parallel` of the embedder says how many at once."""
    return ahead(lambda one: (one[0], describe_case(embedder, *one)),
                 ((case, pictures.get(case.picture)) for case in cases), workers=getattr(embedder, "parallel", 1))


def ahead(work: Callable[[Item], Result], items: Iterable[Item], *, workers: int) -> Iterator[Result]:
    """Results in the order of the items, each item taken when there is room for it: `workers` at once, as many waiting.

    One worker works when the next result is asked for. What `work` raises comes out here, and nothing more is begun.
    """
    if workers == 1:
        yield from map(work, items)
        return
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) == 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
