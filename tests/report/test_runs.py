"""report.html of real runs: one that went on, one that only evaluates, and what it does not end."""

import re

import pytest

import run_classifier_custom
from finetune import outputs
from finetune.report import writer
from tests.conftest import TEXTS
from tests.report.conftest import headings

SMALL = ["--max_seq_length=12", "--train_batch_size=5", "--learning_rate=1e-3",
         "--log_every_steps=2"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Folder with train.tsv and dev.tsv, 15 rows each; one text is HTML, one is long."""
    folder = tmp_path_factory.mktemp("data")
    rows = [(text, label) for label, texts in TEXTS.items() for text in texts]
    rows[0], rows[1] = ("<i>the page</i> crashes", "bug"), ("the app is broken " * 9, "bug")
    for name in ("train", "dev"):
        lines = [f"{name}{number}\t{text}\t{label}" for number, (text, label) in enumerate(rows)]
        (folder / f"{name}.tsv").write_text("\n".join(["id\ttext\tlabel", *lines]) + "\n")
    return folder


@pytest.fixture(scope="module")
def trained(tiny, data, tmp_path_factory):
    """Folder of a run of 6 steps that went on to 12, checked and with a baseline."""
    folder = tmp_path_factory.mktemp("reported") / "output"
    for epochs, more in ((2, ["--do_check", "--baseline"]), (4, ["--do_eval"])):
        assert run_classifier_custom.main([
            f"--data_dir={data}", f"--init_checkpoint={tiny}", *SMALL, "--do_train",
            "--eval_every_steps=3", f"--num_train_epochs={epochs}", *more,
            f"--output_dir={folder}"]) == 0
    return folder


def read(folder):
    return (folder / outputs.REPORT).read_text(encoding="utf-8")


def test_the_page_of_a_run_that_went_on(trained):
    content = read(trained)
    assert headings(content) == [
        "Scores on dev", "Against a simple model", "By label", "Confusion", "Training",
        "Confidence", "Highest loss", "Likely label errors", "Errors by length", "The data",
        "The run", "Other files"]
    results = (trained / outputs.EVAL_RESULTS).read_text()
    accuracy = float(re.search(r"eval_accuracy = (\S+)", results)[1])
    assert f'<th scope="row">accuracy</th><td class="n">{accuracy:.4f}</td>' in content
    steps = re.findall(r'<th class="n" scope="row">(\d+)</th>', content.split("<h2")[5])
    assert steps == [*"369", "12", *map(str, range(1, 13))]  # dev, then training
    assert "&lt;i&gt;the page&lt;/i&gt; crashes" in content and "<i>" not in content
    assert "--max_seq_length=12; of 1 of them something was cut off." in content
    assert "--num_train_epochs=4" in content and "sign test" not in content
    assert "Earlier run of" in content
    for name in re.findall(r'href="([^"#][^"]*)"', content):
        assert (trained / name).exists(), name
    assert f'href="{outputs.DATA_CHECK}"' in content and "seed" in content


def test_evaluation_alone_from_a_trained_folder(trained, data, main, tmp_path):
    """Into its own folder or another; the curves are those of the training."""
    before = read(trained)
    flags = [f"--data_dir={data}", "--do_eval", "--max_seq_length=12", "--id_column=id"]
    other = tmp_path / "other"
    status, said = main(*flags, f"--init_checkpoint={trained}", f"--output_dir={other}")
    assert status == 0, said
    assert "Training" in headings(read(other)) and "The data" not in headings(read(other))
    assert f"Trained in <code>{trained}</code>" in read(other)
    assert before.count("<polyline") == read(other).count("<polyline") > 2
    assert "--num_train_epochs=4" in read(other)  # the earlier runs are told, too


def test_no_report_where_it_is_not_wanted(trained, data, main, tmp_path):
    status, said = main(f"--data_dir={data}", "--do_eval", "--max_seq_length=12", "--noreport",
                        f"--init_checkpoint={trained}", f"--output_dir={tmp_path / 'out'}")
    assert status == 0, said
    assert (tmp_path / "out" / outputs.EVAL_RESULTS).exists()
    assert not (tmp_path / "out" / outputs.REPORT).exists()


def test_a_page_that_fails_ends_no_run(trained, data, main, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "page", full)
    out = tmp_path / "out"
    status, said = main(f"--data_dir={data}", "--do_eval", "--max_seq_length=12",
                        f"--init_checkpoint={trained}", f"--output_dir={out}")
    assert status == 0 and "Traceback" not in said
    assert "report.html was not written" in said and "No space left on device" in said
    assert (out / outputs.EVAL_RESULTS).exists() and not (out / outputs.REPORT).exists()


def test_rows_that_are_read_in_windows(tiny, data, main, tmp_path):
    """Each is one row of the page, whatever the number of its windows."""
    out = tmp_path / "out"
    status, said = main(f"--data_dir={data}", f"--init_checkpoint={tiny}", *SMALL, "--do_train",
                        "--do_eval", "--num_train_epochs=0.4", "--window_stride=4",
                        f"--output_dir={out}")
    assert status == 0 and "was not written" not in said
    content = read(out)
    assert ">15 rows, at step " in content and "or are read in several windows; of 0" in content
    [full] = re.findall(r'<th scope="row">12 or more</th><td class="n">(\d+)</td>', content)
    whole = re.findall(r"<tr><th[^>]*>(?:\d+ to )?\d+</th><td class=\"n\">(\d+)</td>",
                       content.split('id="errors-by-length"')[1].split("<section>")[0])
    assert int(full) >= 1 and int(full) + sum(map(int, whole)) == 15
