"""scripts/download_glue.sh, scripts/glue.json, finetune/glue/files.py and finetune/glue/mrpc.py."""

import hashlib
import io
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import zipfile

import pytest

from finetune.errors import UserError
from finetune.glue import files as glue
from finetune.glue import mrpc
from scripts import download_glue
from tests.sources import test_download

ROOT = pathlib.Path(__file__).parents[2]
HEADER = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
TRAIN = HEADER + "1\t10\t11\tA b\tC \"d\n0\t12\t13\tE\tF  \n1\t14\t15\tG\tH\n"
TEST = HEADER + "0\t20\t21\tI\tJ\n1\t22\t23\tK\tL\n"
IDS = "14\t15\n10\t11\n"
site = test_download.site  # a server on this machine


def zipped(contents):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return buffer.getvalue()


RELEASED = {
    "glue/RTE.zip": zipped({"RTE/train.tsv": "a", "RTE/dev.tsv": "b", "RTE/test.tsv": "c",
                              "RTE/original/x.txt": "d", "__MACOSX/RTE/train.tsv": "junk"}),
    "glue/QQP-clean.zip": zipped({"QQP/train.tsv": "q"}),
    "glue/AX.tsv": b"index\tsentence1\tsentence2\n",
    "glue/mrpc_dev_ids.tsv": IDS.encode(),
    "senteval/msr_paraphrase_train.txt": ("\ufeff" + TRAIN).encode(),
    "senteval/msr_paraphrase_test.txt": ("\ufeff" + TEST).encode(),
    "XNLI/XNLI-1.0.zip": zipped({"XNLI-1.0/xnli.dev.tsv": "x", "XNLI-1.0/xnli.test.tsv": "y",
                                   "XNLI-1.0/readme.txt": "one"}),
    "XNLI/XNLI-MT-1.0.zip": zipped({"MT/multinli/multinli.train.zh.tsv": "z",
                                      "MT/readme.txt": "two"})}
FOLDERS = {
    "RTE": (["rte"], ["train.tsv", "dev.tsv", "test.tsv"], ["glue/RTE.zip"]),
    "QQP": (["qqp"], ["train.tsv"], ["glue/QQP-clean.zip"]),
    "diagnostic": (["ax"], ["diagnostic.tsv"], ["glue/AX.tsv"]),
    "MRPC": (["mrpc"], ["train.tsv", "dev.tsv", "test.tsv", "dev_ids.tsv"], [
        "glue/mrpc_dev_ids.tsv", "senteval/msr_paraphrase_train.txt",
        "senteval/msr_paraphrase_test.txt"]),
    "XNLI": (["xnli"], ["xnli.dev.tsv", "xnli.test.tsv", "multinli/multinli.train.zh.tsv"],
             ["XNLI/XNLI-1.0.zip", "XNLI/XNLI-MT-1.0.zip"])}


@pytest.fixture
def listed(tmp_path, site):
    """A list of files like scripts/glue.json, of made-up files on a server of this machine."""
    site.files = {f"/{name}": content for name, content in RELEASED.items()}
    path = tmp_path / "files.json"
    path.write_text(json.dumps({"base_url": site.url, "folders": {
        name: {"tasks": tasks, "files": files, "on_request": name == "XNLI", "downloads": {
            each: [len(RELEASED[each]), hashlib.sha256(RELEASED[each]).hexdigest()]
            for each in downloads}}
        for name, (tasks, files, downloads) in FOLDERS.items()}}))
    return path


@pytest.fixture
def script(listed, tmp_path, capsys, monkeypatch):
    """Runs the script in this process: arguments -> (exit status, stdout, stderr)."""
    real = glue.download.fetch
    monkeypatch.setattr(glue.download, "fetch",
                        lambda *arguments, **named: real(*arguments, **named, tries=2, pause=0.0))
    monkeypatch.delenv("GLUE_URL", raising=False)

    def run(*arguments):
        status = download_glue.main([*arguments, f"--files={listed}", f"--dir={tmp_path / 'data'}"])
        return status, *capsys.readouterr()
    return run


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_all_of_glue(script, tmp_path, site):
    status, said, progress = script()
    data = tmp_path / "data"
    assert status == 0, progress
    assert tree(data) == sorted([
        "RTE/train.tsv", "RTE/dev.tsv", "RTE/test.tsv", "RTE/original/x.txt", "RTE/source.json",
        "QQP/train.tsv", "QQP/source.json", "diagnostic/diagnostic.tsv", "diagnostic/source.json",
        "MRPC/train.tsv", "MRPC/dev.tsv", "MRPC/test.tsv", "MRPC/dev_ids.tsv", "MRPC/source.json"])
    assert (data / "RTE/train.tsv").read_text() == "a"
    assert f"{data}/RTE: train.tsv, dev.tsv, test.tsv; --task_name=rte\n" in said
    assert f"Downloading {site.url}/glue/RTE.zip\n" in progress
    assert sorted(os.listdir(data)) == ["MRPC", "QQP", "RTE", "diagnostic"]
    asked = len(site.asked)
    status, said, progress = script("rte", "MRPC")
    assert (status, progress, len(site.asked)) == (0, "", asked)
    assert said.splitlines() == [f"{data}/{name}: is complete, nothing to do"
                                 for name in ("RTE", "MRPC")]


def test_mrpc_is_split_by_the_ids(script, tmp_path):
    assert script("mrpc")[0] == 0
    folder = tmp_path / "data/MRPC"
    assert (folder / "train.tsv").read_bytes() == (HEADER + "0\t12\t13\tE\tF\n").encode()
    assert (folder / "dev.tsv").read_text() == HEADER + "1\t10\t11\tA b\tC \"d\n1\t14\t15\tG\tH\n"
    assert (folder / "test.tsv").read_text() == (
        "index\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t20\t21\tI\tJ\n1\t22\t23\tK\tL\n")
    assert (folder / "dev_ids.tsv").read_text() == IDS


def test_mrpc_of_microsoft_s_own_files(script, tmp_path, site):
    given = tmp_path / "msi"
    given.mkdir()
    status, _, said = script("mrpc", f"--mrpc_dir={given}")
    assert status == 2
    assert f"--mrpc_dir={given}: holds no msr_paraphrase_train.txt and no msr_para" in said
    (given / "_2DEC3DBE877E4DB192D17C0256E90F1D").write_bytes(
        TRAIN.replace("\n", "\r\n").replace("A b", "O\rwn").encode())
    (given / "msr_paraphrase_test.txt").write_text(TEST)
    status, _, said = script("mrpc", f"--mrpc_dir={given}")
    assert status == 0, said
    assert len(site.asked) == 1  # the ids
    folder = tmp_path / "data/MRPC"
    assert (folder / "dev.tsv").read_text().splitlines()[1] == "1\t10\t11\tOwn\tC \"d"
    assert json.loads((folder / "source.json").read_text())["source"] == str(given)
    assert script("rte", f"--mrpc_dir={given}")[0] == 2
    status, said, _ = script("mrpc", f"--mrpc_dir={given}")
    assert status == 0 and "is complete, nothing to do" in said


def test_mrpc_that_is_made_of_something_else_is_no_answer(script, tmp_path):
    assert script("mrpc")[0] == 0
    status, said, told = script("mrpc", f"--mrpc_dir={tmp_path}")
    assert status == 2 and not said
    assert "MRPC: is there already, made of http" in told
    assert f"and not of --mrpc_dir={tmp_path}" in told


@pytest.mark.parametrize(("name", "old", "new", "expected"), [
    ("train", "\t15\tG", "\t16\tG", "lacks 1 of the 2 rows of the dev split, first 14 15"),
    ("train", "0\t12", "2\t12", "train.txt:3: the label is '2'; 0 or 1"),
    ("train", HEADER, "<html>\n", "train.txt:1: begins with '<html>'"),
    ("test", "\tJ", "", "test.txt:2: has 4 columns; 5 are expected"),
    ("test", "J", "\udcff", "test.txt: cannot be read: 'utf-8'")])
def test_files_that_are_not_mrpc(tmp_path, name, old, new, expected):
    texts = {"train": TRAIN, "test": TEST}
    texts[name] = texts[name].replace(old, new)
    for each, text in texts.items():
        (tmp_path / f"{each}.txt").write_bytes(text.encode(errors="surrogateescape"))
    (tmp_path / "ids.tsv").write_text(IDS)
    with pytest.raises(UserError, match=expected.replace(".", "[.]")):
        mrpc.assemble(*(str(tmp_path / each) for each in ("ids.tsv", "train.txt", "test.txt", "")))


def test_xnli_is_made_of_two_zips_and_only_on_request(script, tmp_path):
    assert script("xnli")[0] == 0
    assert tree(tmp_path / "data") == sorted([
        "XNLI/xnli.dev.tsv", "XNLI/xnli.test.tsv", "XNLI/multinli/multinli.train.zh.tsv",
        "XNLI/readme.txt", "XNLI/source.json"])
    assert (tmp_path / "data/XNLI/readme.txt").read_text() == "one"


def test_a_broken_transfer_goes_on(script, tmp_path, site):
    site.breaks_after = [100, 0]
    status, said, problem = script("rte")
    assert (status, said) == (2, "")
    assert "run it again to go on" in problem
    assert tree(tmp_path / "data") == ["RTE.RTE.zip.part"]
    assert script("rte")[0] == 0
    assert site.asked[-1] == "bytes=100-"
    assert (tmp_path / "data/RTE/test.tsv").read_text() == "c"


def test_what_an_earlier_try_fetched_is_looked_at_again(script, tmp_path, site):
    left = tmp_path / "data" / "RTE.RTE.zip"
    left.parent.mkdir()
    for content, requests in [(RELEASED["glue/RTE.zip"], 0), (b"short", 1),
                              (b"x" * len(RELEASED["glue/RTE.zip"]), 1)]:
        left.write_bytes(content)
        site.asked.clear()
        assert script("rte")[0] == 0
        assert len(site.asked) == requests
        assert tree(tmp_path / "data/RTE") != []
        assert not left.exists()
        shutil.rmtree(tmp_path / "data/RTE")


@pytest.mark.parametrize(("content", "expected"), [
    (b"x" * len(RELEASED["glue/RTE.zip"]), "another sha256 than"),
    (RELEASED["glue/RTE.zip"][:-5], "bytes were expected"),
    (None, "the server answers HTTP 404")])
def test_a_wrong_file_leaves_nothing(script, tmp_path, site, content, expected):
    site.files["/glue/RTE.zip"] = content
    if content is None:
        del site.files["/glue/RTE.zip"]
    status, said, problem = script("ax", "rte", "qqp")
    assert (status, said) == (2, "")
    assert expected.replace("bytes were", "were") in problem
    assert "Traceback" not in problem
    assert tree(tmp_path / "data") == []


def test_a_released_zip_that_lacks_files(script, tmp_path, listed):
    content = json.loads(listed.read_text())
    content["folders"]["QQP"]["files"].append("dev.tsv")
    listed.write_text(json.dumps(content))
    status, _, problem = script("qqp")
    assert status == 2
    assert "QQP-clean.zip: lacks dev.tsv." in problem
    assert tree(tmp_path / "data") == []


def test_a_server_that_fails_and_no_network(script, tmp_path, site):
    site.statuses = [503] * 9
    status, _, problem = script("rte")
    assert status == 2
    assert "HTTP 503" in problem
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    status, _, problem = script("rte", f"--base_url=http://127.0.0.1:{port}")
    assert status == 2
    assert "is this machine connected" in problem
    assert tree(tmp_path / "data") == []


def test_damaged_folders_are_all_named_before_anything_is_fetched(script, tmp_path, site):
    assert script("rte", "ax")[0] == 0
    data, asked = tmp_path / "data", len(site.asked)
    (data / "RTE/dev.tsv").write_text("longer")
    (data / "diagnostic/diagnostic.tsv").unlink()
    (data / "QQP").write_text("a file")
    status, _, problem = script()
    assert status == 2
    assert problem.splitlines() == [
        f"error: {data}/{name}: is there already, but is not complete: {reason}. Delete it or "
        "move it away, then run this again." for name, reason in [
            ("RTE", "dev.tsv has 6 bytes where 1 were installed"),
            ("QQP", "train.tsv is missing"), ("diagnostic", "diagnostic.tsv is missing")]]
    assert len(site.asked) == asked
    (data / "RTE/source.json").write_text("{")
    assert "RTE: is there already, but is not complete: its source.json cannot" in script("rte")[2]


def test_a_folder_filled_by_other_means_counts(script, tmp_path, site):
    folder = tmp_path / "data/QQP"
    folder.mkdir(parents=True)
    (folder / "train.tsv").write_text("mine")
    assert script("qqp")[1] == f"{folder}: is complete, nothing to do\n"
    (folder / "train.tsv").write_text("")
    assert "train.tsv is empty" in script("qqp")[2]
    assert site.asked == []


def test_mistakes(script, tmp_path, listed):
    status, _, problem = script("mrcp", "rte", "rtee", "zzz")
    assert status == 2
    assert problem.splitlines() == ["error: 'mrcp': no task of that name; the closest: mrpc.",
                                    "error: 'rtee': no task of that name; the closest: rte.",
                                    "error: 'zzz': no task of that name; --list shows all."]
    (tmp_path / "data").write_text("")
    status, _, problem = script("rte")
    assert (status, problem) == (2, f"error: {tmp_path}/data: File exists\n")
    listed.write_text("[]")
    assert "cannot be read as a list of files" in script("rte")[2]


def test_what_was_released(capsys):
    files = glue.load(str(ROOT / "scripts/glue.json"))
    tasks = [task for folder in files.folders for task in folder.tasks]
    assert tasks == ["cola", "sst-2", "mrpc", "sts-b", "qqp", "mnli", "mnli-mm", "qnli", "rte",
                     "wnli", "ax", "xnli"]
    by_task = {task: folder for folder in files.folders for task in folder.tasks}
    # The public script has these two the other way round.
    assert list(by_task["qqp"].downloads) == ["glue/data/QQP-clean.zip"]
    assert list(by_task["sts-b"].downloads) == ["glue/data/STS-B.zip"]
    assert files.find(["mnli-mm", "mnli"]) == [by_task["mnli"]]
    assert [folder.name for folder in files.find([])] == [
        "CoLA", "SST-2", "MRPC", "STS-B", "QQP", "MNLI", "QNLI", "RTE", "WNLI", "diagnostic"]
    hashes = [sha256 for folder in files.folders for _, sha256 in folder.downloads.values()]
    assert all(len(sha256) == 64 for sha256 in hashes)
    assert len(set(hashes)) == len(hashes) == 14
    assert download_glue.main(["--list"]) == 0
    assert [line.split()[0].rstrip(",") for line in capsys.readouterr().out.splitlines()] == [
        folder.tasks[0] for folder in files.folders]


def test_the_shell_script(tmp_path):
    def run(*arguments, **environment):
        return subprocess.run([ROOT / "scripts/download_glue.sh", *arguments], cwd=tmp_path,
                              capture_output=True, text=True, env={
                                  **os.environ, "PYTHON": sys.executable, **environment})
    assert "mnli, mnli-mm" in run("--list").stdout
    done = run("rte", GLUE_URL="http://example.org")
    assert (done.returncode, done.stdout) == (2, "")
    assert "http://example.org/glue/data/RTE.zip: this address is not used" in done.stderr
    done = run("rte", PYTHON="no-such-python")
    assert done.returncode == 2
    assert "no-such-python: there is no such program" in done.stderr
