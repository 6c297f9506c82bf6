"""Examples of a big file: not kept in memory, but read again by whoever goes through them.

    examples = collected("data/train.tsv", read)        # a list, or StreamedExamples
    len(examples), examples[:32], examples[7]
    for example in examples:
        ...
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from processors import storage
from processors.errors import DataError, Report
from processors.examples import InputExample

STREAMED_FROM = 8 << 20  # bytes of a file; some 100,000 short texts, 40 MB as a list

Read = Callable[[Report], Iterator[InputExample]]  # raises DataError at the end, where it has to


class StreamedExamples(Sequence):
    """The examples of a file, in its order, each made anew whenever it is asked for.

    It is what a list is to a reader; changing an example changes nothing here. Going through it,
    a slice from the beginning and rising positions cost one reading of the file.

    Raises:
        DataError: on iteration, if the file is no longer what it was.
    """

    def __init__(self, path: str, read: Read, count: int, stamp: tuple[int, int]):
        """Takes the file's `stamp` from before it was read for the first time."""
        self._path, self._read, self._count, self._stamp = path, read, count, stamp
        self._going: tuple[int, Iterator[InputExample]] = 0, iter(())

    def __len__(self) -> int:
        """Number of examples."""
        return self._count

    def __iter__(self) -> Iterator[InputExample]:
        """Reads the file once more."""
        self._check()
        yield from self._read(Report(self._path))
        self._check()

    def __getitem__(self, index: int | slice) -> InputExample | list[InputExample]:
        """Returns an example, or a list of some."""
        if isinstance(index, slice):
            wanted = range(self._count)[index]
            rising = wanted if wanted.step > 0 else wanted[::-1]
            found = list(islice(self, rising.start, rising.stop, rising.step)) if wanted else []
            return found if wanted.step > 0 else found[::-1]
        place = range(self._count)[index]
        at, going = self._going
        if place < at or not at:
            at, going = 0, iter(self)
        example = next(islice(going, place - at, None))
        self._going = place + 1, going
        return example

    def _check(self) -> None:
        if storage.stamp(self._path) != self._stamp:
            raise DataError(f"{self._path}: has changed while it was being used; run again")


def collected(path: str, read: Read, report: Report, stream: bool = True) -> Sequence[Any]:
    """Reads a file through, to find whatever is wrong with it.

    Args:
        path: the file.
        read: makes its examples, each time from the beginning.
        report: receives the notices of this reading.
        stream: False for a list whatever the size of the file.

    Returns:
        A list, or StreamedExamples if the file is as big as STREAMED_FROM.
    """
    before = storage.stamp(path)
    if not stream or before is None or before[0] < STREAMED_FROM:
        return list(read(report))
    return StreamedExamples(path, read, sum(1 for _ in read(report)), before)


def may_stream(processor: Any, name: str) -> bool:
    """Whether nobody stands between a processor of ours and the run.

    A subclass with a method of its own may change the examples that it gets from its base: it
    gets a list.
    """
    method = getattr(type(processor), f"get_{name}_examples")
    return method.__module__.partition(".")[0] == __package__
