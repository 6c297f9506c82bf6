"""MRPC as GLUE has it, from the two files that Microsoft and SentEval distribute.

    from finetune.glue import mrpc
    mrpc.assemble("mrpc_dev_ids.tsv", "msr_paraphrase_train.txt", "msr_paraphrase_test.txt", "MRPC")

GLUE could not host the corpus. Its download script (nyu-mll/GLUE-baselines, download_glue_data.py)
splits the training file by a list of ids into train and dev, and gives the test file, without its
labels, a column of row numbers. The same rows are made here. Imports no TensorFlow.
"""

import os

from finetune.errors import UserError

COLUMNS = ("#1 ID", "#2 ID", "#1 String", "#2 String")
# Names in `given` -> names a user's folder may have; the last ones are those that cabextract gives
# the files of MSRParaphraseCorpus.msi.
_NAMES = {
    "msr_paraphrase_train.txt": ("msr_paraphrase_train.txt", "_2DEC3DBE877E4DB192D17C0256E90F1D"),
    "msr_paraphrase_test.txt": ("msr_paraphrase_test.txt", "_D7B391F9EAFF4B1B8BCE8F21B20B1B61"),
    "mrpc_dev_ids.tsv": ("mrpc_dev_ids.tsv", "dev_ids.tsv")}


def find(folder: str) -> dict[str, str]:
    """Returns the paths of the corpus's files in a folder, by their usual names.

    Args:
        folder: holds what was extracted from MSRParaphraseCorpus.msi, and perhaps dev_ids.tsv.

    Raises:
        UserError: it lacks the training or the test file.
    """
    found = {}
    for name, others in _NAMES.items():
        paths = (os.path.join(folder, other) for other in others)
        path = next(filter(os.path.isfile, paths), None)
        if path:
            found[name] = path
    missing = [name for name in _NAMES if name.endswith(".txt") and name not in found]
    if missing:
        raise UserError(f"--mrpc_dir={folder}: holds no {' and no '.join(missing)}; extract them "
                        "from MSRParaphraseCorpus.msi (docs/glue.md says how).")
    return found


def assemble(ids_file: str, train_file: str, test_file: str, folder: str) -> None:
    """Writes train.tsv, dev.tsv, test.tsv and dev_ids.tsv.

    Args:
        ids_file: two ids a line: the rows of the training file that are GLUE's dev split.
        train_file, test_file: msr_paraphrase_train.txt and msr_paraphrase_test.txt.
        folder: an existing folder.

    Raises:
        UserError: a file is not what it should be.
    """
    pairs = [tuple(row) for _, row in _rows(ids_file, 2)]
    dev_ids, seen = set(pairs), set()
    header = "\t".join(("Quality", *COLUMNS))
    train, dev = [header], [header]
    for number, row in _rows(train_file, 5, header=True):
        if row[0] not in ("0", "1"):
            raise UserError(f"{train_file}:{number}: the label is {row[0]!r}; 0 or 1 is expected.")
        key = (row[1], row[2])
        (dev if key in dev_ids else train).append("\t".join(row))
        seen.add(key)
    absent = [pair for pair in pairs if pair not in seen]
    if absent:
        raise UserError(f"{train_file}: lacks {len(absent)} of the {len(pairs)} rows of the dev "
                        f"split, first {' '.join(absent[0])}: it is not the whole corpus.")
    test = ["\t".join(("index", *COLUMNS))]
    test += ["\t".join((str(index), *row[1:]))
             for index, (_, row) in enumerate(_rows(test_file, 5, header=True))]
    ids = ["\t".join(pair) for pair in pairs]
    for name, lines in (("train", train), ("dev", dev), ("test", test), ("dev_ids", ids)):
        with open(os.path.join(folder, f"{name}.tsv"), "w", encoding="utf-8", newline="") as file:
            file.write("\n".join(lines) + "\n")


def _rows(path: str, columns: int, header: bool = False) -> list[tuple[int, list[str]]]:
    """Returns (line number, cells) of every row below the header, where there is to be one."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:  # Microsoft's have a BOM
            lines = file.read().replace("\r", "").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}.") from error
    if header and not lines[0].startswith("Quality\t"):
        raise UserError(f"{path}:1: begins with {lines[0][:40]!r}; a header that begins with "
                        "Quality is expected.")
    rows = []
    for number, line in enumerate(lines, 1):
        cells = line.strip().split("\t")
        if len(cells) != columns:
            raise UserError(f"{path}:{number}: has {len(cells)} columns; {columns} are expected.")
        rows.append((number, cells))
    return rows[1:] if header else rows
