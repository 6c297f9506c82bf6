"""Checkpoints written beside training: a step waits for a snapshot, not for the disk.

    with Writer(Folder("output", keep=5)) as writer:
        writer.write(step, state.variables())   # takes a snapshot; a thread brings it to disk
        ...                                     # training goes on
        writer.wait()                           # before anything names the checkpoint
"""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from finetune.checkpoints.checkpoint import Folder, snapshot


class Writer:
    """Writes the checkpoints of a folder one at a time, each in the background.

    What a write raises (a full disk, say) is raised by the next call of any method, in the
    caller's thread, once. As a context manager it ends with the last write. Ctrl-C never reaches
    the thread that writes, and Python does not exit before it is done.

    Args:
        folder: where they go. Until `wait` has returned nobody else may write there.
    """

    def __init__(self, folder: Folder):
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._under_way: Future | None = None

    def write(self, step: int, tensors: Mapping[str, Any]) -> None:
        """Begins to write model.ckpt-<step> with the tensors as they are now.

        Waits for the write before it, so that there is no more than one snapshot in memory.
        """
        self.wait()
        self._under_way = self._thread.submit(self._folder.write, step, snapshot(tensors))

    def check(self) -> None:
        """Raises what a write has raised by now; waits for nothing."""
        if self._under_way is not None and self._under_way.done():
            self.wait()

    def wait(self) -> None:
        """Returns once the checkpoint is on disk and named in the file `checkpoint`."""
        if self._under_way is None:
            return
        error = self._under_way.exception()  # Ctrl-C here leaves the write to the next call
        self._under_way = None
        if error is not None:
            raise error

    def __enter__(self) -> "Writer":
        """Returns itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Waits for the last write, whatever ended the work, and raises what that raised."""
        self._thread.shutdown()
        self.wait()
