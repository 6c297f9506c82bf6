"""SHA256SUMS: what it is a sum of, and what is said of a file that is another now."""

import shutil
import subprocess

import pytest

from finetune.checkpoints import checksums

NAMES = ("labels.txt", "vocab.txt", "bert_config.json")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "vocab.txt").write_text("[PAD]\nthe\n")
    (tmp_path / "labels.txt").write_text("bug\nfeature\n")
    checksums.write(str(tmp_path), NAMES)  # there is no bert_config.json
    return tmp_path


def test_files_as_they_were_written(folder):
    assert checksums.problems(str(folder)) == []
    assert [line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()] == [
        "labels.txt", "vocab.txt"]
    (folder / "bert_config.json").write_text("{}")
    assert checksums.problems(str(folder)) == []


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="there is no sha256sum")
def test_sha256sum_says_the_same(folder):
    check = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    assert subprocess.run(check, cwd=folder, capture_output=True).returncode == 0
    (folder / "labels.txt").write_text("feature\nbug\n")
    assert subprocess.run(check, cwd=folder, capture_output=True).returncode == 1


def test_altered_and_missing_files(folder):
    (folder / "labels.txt").write_text("feature\nbug\n")
    (folder / "vocab.txt").unlink()
    altered, missing = checksums.problems(str(folder))
    assert altered.startswith(f"{folder}/labels.txt: has been altered or damaged since")
    assert missing.startswith(f"{folder}/vocab.txt: is gone since")
    assert all(problem.endswith(f"delete {folder}/SHA256SUMS")
               for problem in (altered, missing))


@pytest.mark.parametrize("content", [b"x", b"\xff\xfe", b"0" * 64 + b"  ../vocab.txt\n"])
def test_sums_that_are_damaged_themselves(folder, content):
    (folder / "SHA256SUMS").write_bytes(content)
    [problem] = checksums.problems(str(folder))
    assert problem.startswith(f"{folder}/SHA256SUMS:1: is no line of")


def test_a_folder_that_has_no_sums(tmp_path):
    assert checksums.problems(str(tmp_path)) == []
