"""Mistakes of the user, through the command: all told at once, exit status 2, nothing written."""

import shutil
import stat

import pytest

import run_classifier_custom

LABELS = "--labels=bug,feature,question"
SMALL = ["--max_seq_length=16", "--train_batch_size=5", "--num_train_epochs=2"]


def snapshot(folder):
    """Returns what lies in a folder, byte for byte, with the times of the last change."""
    return {str(path.relative_to(folder)): (path.lstat().st_mtime_ns, path.read_bytes()
                                            if stat.S_ISREG(path.lstat().st_mode) else None)
            for path in folder.rglob("*")}


@pytest.fixture
def refused(main, tiny, issues, tmp_path):
    """Runs a command that has to be refused, with a new output folder and with one that exists.

    Returns:
        A function: flags -> messages, one a problem. `_model=False` leaves --init_checkpoint out,
        `_output=False` the two output folders.
    """
    def run(*arguments, _model=True, _output=True):
        (tmp_path / "old").mkdir(exist_ok=True)
        (tmp_path / "old" / "notes.txt").write_text("mine")
        found = []
        for folder in ("new", "old") if _output else (None,):
            output = [f"--output_dir={tmp_path / folder}"] if folder else []
            model = [f"--init_checkpoint={tiny}"] if _model else []
            before = snapshot(tmp_path)
            status, said = main(f"--data_dir={issues}", *model, *SMALL, *output, *arguments)
            assert status == 2, said
            assert "Traceback" not in said and "--- Logging error" not in said, said
            assert snapshot(tmp_path) == before
            found.append([line.removeprefix("error: ").replace(str(tmp_path / "old"),
                                                               str(tmp_path / "new"))
                          for line in said.splitlines() if line.startswith("error: ")])
            assert len(found[-1]) == len([line for line in said.splitlines() if line.strip()]), said
        assert found[0] and all(messages == found[0] for messages in found)
        return found[0]
    return run


@pytest.fixture(scope="session")
def trained(tiny, tmp_path_factory):
    """Output folder of a short run with three labels and checkpoints 2, 4 and 6."""
    folder = tmp_path_factory.mktemp("trained")
    rows = [("the app crashes", "bug"), ("add a mode", "feature"), ("why ?", "question")] * 5
    (folder / "train.tsv").write_text(
        "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows))
    assert run_classifier_custom.main([
        f"--data_dir={folder}", f"--init_checkpoint={tiny}", *SMALL, "--do_train",
        "--save_checkpoints_steps=2", f"--output_dir={folder / 'out'}"]) == 0
    return folder / "out"


@pytest.fixture
def occupied(trained, tmp_path):
    """A copy of the trained folder."""
    return shutil.copytree(trained, tmp_path / "occupied")


def only(messages, *parts):
    """Asserts that there is one message and that it names all the parts."""
    assert len(messages) == 1, messages
    missing = [part for part in parts if str(part) not in messages[0]]
    assert not missing, (missing, messages[0])


def replaced(path, number, line):
    """Replaces a line, the first being 1, by bytes; returns the path."""
    lines = path.read_bytes().split(b"\n")
    lines[number - 1] = line
    path.write_bytes(b"\n".join(lines))
    return path
