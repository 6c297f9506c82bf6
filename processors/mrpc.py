"""MRPC: do two sentences say the same?"""

import os
from collections.abc import Iterable, Iterator

from processors import storage
from processors.base import DataError, InputExample, Split, TsvProcessor
from processors.errors import Report
from processors.readers import Row
from processors.registry import register

RAW_TRAIN, RAW_TEST = "msr_paraphrase_train.txt", "msr_paraphrase_test.txt"
DEV_IDS = ("dev_ids.tsv", "mrpc_dev_ids.tsv")


@register
class Mrpc(TsvProcessor):
    """The Microsoft Research Paraphrase Corpus (Dolan and Brockett, 2005).

    Columns: Quality (index in the test file), #1 ID, #2 ID, #1 String, #2 String. Where there is
    no train.tsv, Microsoft's own two files are read; GLUE's list of pairs of ids then says which
    rows of the first are dev.
    """

    name = "mrpc"
    labels = ("0", "1")
    metrics = ("f1", "accuracy")
    train = Split("train.tsv", text_a=3, text_b=4, label=0, header="#1 String")
    dev = Split("dev.tsv", text_a=3, text_b=4, label=0, header="#1 String")
    test = Split("test.tsv", text_a=3, text_b=4, row_id=0, header="#1 String")
    raw = {name: Split(file, text_a=3, text_b=4, label=0, header="#1 String")
           for name, file in (("train", RAW_TRAIN), ("dev", RAW_TRAIN), ("test", RAW_TEST))}

    def split(self, name: str, data_dir: str) -> Split:
        """See base class."""
        raw = (not storage.is_file(os.path.join(data_dir, self.train.file))
               and not storage.is_file(os.path.join(data_dir, getattr(self, name).file))
               and storage.is_file(os.path.join(data_dir, self.raw[name].file)))
        return self.raw[name] if raw else getattr(self, name)

    def _examples(self, split: Split, name: str, data_dir: str,
                  report: Report) -> Iterator[InputExample]:
        for index, example in enumerate(super()._examples(split, name, data_dir, report)):
            if name == "test":
                example.row_id = example.row_id or str(index)  # as GLUE numbers the raw file's rows
            yield example

    def select(self, rows: Iterator[Row], name: str, data_dir: str) -> Iterable[Row]:
        """See base class. Raises `DataError` if dev is asked for and nothing says what it is."""
        if name == "test" or self.split(name, data_dir) is not self.raw[name]:
            return rows
        paths = [path for file in DEV_IDS if storage.is_file(path := os.path.join(data_dir, file))]
        if not paths:
            text = (f"{os.path.join(data_dir, RAW_TRAIN)}: holds train and dev; the list of the "
                    f"dev rows, {' or '.join(DEV_IDS)}, is not beside it")
            if name == "dev":
                raise DataError(text)
            notice = f"{text}: all rows are trained on"
            self.notices += [notice] * (notice not in self.notices)  # the file may be read again
            return rows
        pairs = {tuple(cells[:2]) for cells in self._read_tsv(paths[0])}
        return ((line, cells) for line, cells in rows
                if (tuple(cells[1:3]) in pairs) == (name == "dev"))
