"""checkpoints/catalogue.json and scripts/download_checkpoint.sh."""

import http.server
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from finetune.bert_config import BertConfig, variable_shapes
from finetune.errors import UserError
from finetune.sources import catalogue
from tests import conftest

ROOT = str(conftest.ROOT)


@pytest.fixture
def empty_site():
    """The address of a server that has nothing."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def names():
    return catalogue.load(os.path.join(ROOT, "checkpoints", "catalogue.json"))


def test_the_catalogue_has_everything_that_was_released(names):
    released = {entry.address for entry in names.entries if entry.address}
    miniatures = {f"2020_02_20/uncased_L-{layers}_H-{hidden}_A-{hidden // 64}.zip"
                  for layers in (2, 4, 6, 8, 10, 12) for hidden in (128, 256, 512, 768)}
    assert released - miniatures == {
        "2018_10_18/uncased_L-12_H-768_A-12.zip", "2018_10_18/uncased_L-24_H-1024_A-16.zip",
        "2018_10_18/cased_L-12_H-768_A-12.zip", "2018_10_18/cased_L-24_H-1024_A-16.zip",
        "2019_05_30/wwm_uncased_L-24_H-1024_A-16.zip",
        "2019_05_30/wwm_cased_L-24_H-1024_A-16.zip",
        "2018_11_23/multi_cased_L-12_H-768_A-12.zip",
        "2018_11_03/multilingual_L-12_H-768_A-12.zip", "2018_11_03/chinese_L-12_H-768_A-12.zip"}
    assert miniatures < released
    assert names.base_url == "https://storage.googleapis.com/bert_models/"


def test_every_entry_is_consistent(names):
    for entry in names.entries:
        config = {"hidden_size": entry.hidden, "num_hidden_layers": entry.layers,
                  "num_attention_heads": entry.heads,
                  "intermediate_size": 4 * entry.hidden, "vocab_size": entry.vocab_size,
                  "max_position_embeddings": 512, "type_vocab_size": 2}
        shapes = variable_shapes(BertConfig.from_dict(config, "test")).values()
        assert entry.parameters == sum(int(np.prod(shape)) for shape in shapes), entry.name
        if entry.address:
            assert entry.address.startswith(entry.date + "/")
            assert f"L-{entry.layers}_H-{entry.hidden}_A-{entry.heads}.zip" in entry.address
            cased = "cased" in entry.address and "uncased" not in entry.address
            assert entry.do_lower_case is not cased, entry.name
        assert all(len(sha256) == 64 for sha256 in entry.files.values())
    everything = [name.lower() for entry in names.entries for name in entry.names()]
    assert len(everything) == len(set(everything))


def test_names(names):
    assert names.find("BERT-tiny").name == "uncased_L-2_H-128_A-2"
    paper, again = names.find("bert-base-uncased"), names.find("2020_02_20/uncased_L-12_H-768_A-12")
    assert paper is names.find("2018_10_18/uncased_L-12_H-768_A-12")
    assert (paper.name, paper.date) == ("uncased_L-12_H-768_A-12", "2018_10_18")
    assert (again.name, again.date) == ("2020_02_20/uncased_L-12_H-768_A-12", "2020_02_20")
    with pytest.raises(UserError, match="'bert-bse-uncased': no checkpoint .* bert-base-uncased"):
        names.find("bert-bse-uncased")
    with pytest.raises(UserError, match="--list shows all"):
        names.find("zzz")


def test_the_readme_shows_every_name(names):
    with open(os.path.join(ROOT, "checkpoints", "README.md"), encoding="utf-8") as file:
        text = file.read()
    for entry in names.entries:
        assert f"| `{entry.name}` |" in text
        assert all(f"`{alias}`" in text for alias in entry.aliases)


def script(*arguments, cwd, **environment):
    return subprocess.run(
        [os.path.join(ROOT, "scripts", "download_checkpoint.sh"), *arguments], cwd=cwd, text=True,
        capture_output=True, check=False, env={**os.environ, "PYTHON": sys.executable,
                                               **environment})


def test_the_script_from_another_folder(names, tmp_path):
    done = script("--list", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        entry.name for entry in names.entries]
    there = tmp_path / "x" / "minilm"
    there.mkdir(parents=True)
    (there / "source.json").write_text('{"files": {}}')
    for name in catalogue.FILES:
        (there / name).write_bytes(b"")
    done = script("minilm", "x", cwd=tmp_path)
    assert done.stdout.startswith("x/minilm: ")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_script_says_what_is_wrong(empty_site, tmp_path):
    (tmp_path / "file").write_text("")
    for arguments, expected in [
            (["bert-tinny"], "'bert-tinny': no checkpoint of that name; the closest: bert-tiny"),
            (["bert-tiny", "x", "--base_url", empty_site], "HTTP 404"),
            (["bert-tiny", "x", "--base_url", "http://example.org"], "address is not used"),
            (["bert-tiny", "file"], "file: "),
            ([], "which one?"),
            (["minilm", "--nonsense"], "--nonsense")]:
        done = script(*arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, ""), done
        assert expected in done.stderr
        assert "Traceback" not in done.stderr
    assert os.listdir(tmp_path / "x") == []
    done = script("bert-tiny", "x", cwd=tmp_path, BERT_CHECKPOINTS_URL=empty_site)
    assert empty_site in done.stderr
    done = script("minilm", cwd=tmp_path, PYTHON="no-such-python")
    assert done.returncode == 2
    assert "PYTHON=no-such-python: there is no such program" in done.stderr
