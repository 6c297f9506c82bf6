"""Requests that come together are answered together, by one thread that has the model.

    batcher = Batcher(model.answers, Limits(), Metrics())
    async with batcher:
        answers = await batcher.answers(["It crashes", ("a question", "its answer")])

While the model works on a batch the next one collects, so that batches grow as load does.
"""

import asyncio
import collections
import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from finetune.serving.limits import Limits
from finetune.serving.metrics import Metrics


class QueueFull(Exception):
    """As many texts wait as may."""


class Batcher:
    """The queue before a model.

    Args:
        answer: N texts -> float32[N, L]; called by one thread, one call at a time.
        limits: of the queue and of a batch.
        metrics: gets batches, rows and the queue's length.
        weigh: texts -> as how many they count in the queue and in a batch.
    """

    def __init__(self, answer: Callable[[Sequence[Any]], np.ndarray], limits: Limits,
                 metrics: Metrics, weigh: Callable[[Sequence[Any]], int] = len):
        self._answer, self._limits, self._metrics = answer, limits, metrics
        self._weigh = weigh
        self._queue: collections.deque[tuple[list[Any], asyncio.Future]] = collections.deque()
        self._rows, self._closed = 0, False

    async def __aenter__(self) -> "Batcher":
        """Starts the thread and what feeds it."""
        self._changed = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._work = asyncio.create_task(self._answer_batches())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Answers what waits, and ends the thread."""
        self._closed = True
        self._changed.set()
        await self._work
        self._thread.shutdown()

    def is_ready(self) -> bool:
        """Whether one more text would be taken."""
        return not (self._closed or self._work.done() or self._rows >= self._limits.queue_rows)

    async def answers(self, texts: list[Any]) -> np.ndarray:
        """Returns float32[N, L], when the turn has come.

        Raises:
            QueueFull: they would have to wait behind too many others.
        """
        if not self.is_ready() or self._rows + self._weigh(texts) > self._limits.queue_rows:
            raise QueueFull
        future = asyncio.get_running_loop().create_future()
        self._queue.append((texts, future))
        self._count(self._weigh(texts))
        self._changed.set()
        return await future

    def _count(self, rows: int) -> None:
        self._rows += rows
        self._metrics.queue_rows.set(self._rows)

    async def _answer_batches(self) -> None:
        while not self._closed or self._queue:
            await self._changed.wait()
            self._changed.clear()
            while self._queue:
                await self._fill()
                await self._answer_batch(self._take())

    async def _fill(self) -> None:
        """Waits until there is a batch, but not for long."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._limits.batch_wait_ms / 1000
        while self._rows < self._limits.batch_rows and not self._closed:
            self._changed.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait(), max(0, end - loop.time()))
            if loop.time() >= end:
                return

    def _take(self) -> list[tuple[list[Any], asyncio.Future]]:
        """Takes whole requests off the queue, as many as make a batch, and one at least."""
        batch, rows = [], 0
        while self._queue and (not batch or
                               rows + self._weigh(self._queue[0][0])
                               <= self._limits.batch_rows):
            batch.append(self._queue.popleft())
            rows += self._weigh(batch[-1][0])
        self._count(-rows)
        return [one for one in batch if not one[1].done()]  # whoever has left needs no answer

    async def _answer_batch(self, batch: list[tuple[list[Any], asyncio.Future]]) -> None:
        if not batch:
            return
        texts, began = [text for texts, _ in batch for text in texts], time.perf_counter()
        try:
            found = await asyncio.get_running_loop().run_in_executor(
                self._thread, self._answer, texts)
        except Exception as error:
            if len(batch) > 1:  # the others must not suffer from one
                for one in batch:
                    await self._answer_batch([one])
            elif not batch[0][1].done():
                batch[0][1].set_exception(error)
            return
        self._metrics.batch_seconds.observe(time.perf_counter() - began)
        self._metrics.batch_rows.observe(len(texts))
        self._metrics.rows.inc(len(texts))
        start = 0
        for some, future in batch:
            if not future.done():
                future.set_result(found[start:start + len(some)])
            start += len(some)
