"""SHA256SUMS in the folder of a checkpoint: its small files, whose alteration nothing else shows.

    checksums.write("output/run", ["labels.txt", "vocab.txt"])
    checksums.problems("output/run")       # what is not as it was written

`sha256sum --check SHA256SUMS` in that folder says the same. The tensors of a checkpoint have
checksums of TensorFlow's.
"""

import hashlib
import os
import re
from collections.abc import Iterable

from finetune import outputs


def write(folder: str, names: Iterable[str]) -> None:
    """Writes down the files of these names that the folder has."""
    found = {name: outputs.read_bytes(os.path.join(folder, name)) for name in names}
    outputs.write_text(os.path.join(folder, outputs.SUMS), "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in found.items() if content is not None))


def problems(folder: str) -> list[str]:
    """Returns what is missing in a folder or not as it was written; [] where nothing tells."""
    path = os.path.join(folder, outputs.SUMS)
    text = (outputs.read_bytes(path) or b"").decode("utf-8", "replace")
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        match = re.fullmatch(r"([0-9a-f]{64})  ([^/]+)", line)
        if not match:
            return [f"{path}:{number}: is no line of a SHA-256 sum and a name, so the file is "
                    "damaged; delete it, if the files beside it are as they should be"]
        content = outputs.read_bytes(os.path.join(folder, match[2]))
        if content is None or hashlib.sha256(content).hexdigest() != match[1]:
            what = "is gone" if content is None else "has been altered or damaged"
            found.append(f"{os.path.join(folder, match[2])}: {what} since it was written, by the "
                         f"sum in {path}. Put it back as it was; or, if it is meant to be as it "
                         f"is, delete {path}")
    return found
