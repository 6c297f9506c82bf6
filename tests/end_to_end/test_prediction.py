"""Prediction with a trained folder, in it and from elsewhere."""

import shutil

from tests.end_to_end.conftest import LABELS, names


def test_predicting_with_the_output_folder_alone(copied, trained, main, data, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(data / "test.tsv", alone)
    expected = (copied / "predictions.tsv").read_bytes()
    settings = (copied / "run_config.json").read_bytes()
    (copied / "predictions.tsv").unlink()
    status, said = main("--do_predict", f"--output_dir={copied}", f"--data_dir={alone}",
                        "--max_seq_length=16")
    assert status == 0, said
    assert (copied / "predictions.tsv").read_bytes() == expected
    assert (copied / "run_config.json").read_bytes() == settings  # it tells how it was trained


def test_predicting_elsewhere_takes_labels_and_model_from_the_trained_folder(
        trained, main, data, tmp_path):
    alone, output = tmp_path / "alone", tmp_path / "elsewhere"
    alone.mkdir()
    shutil.copy(data / "test.tsv", alone)
    before = {path: path.stat().st_mtime_ns for path in trained[0].rglob("*")}
    status, said = main("--do_predict", f"--output_dir={output}", f"--data_dir={alone}",
                        f"--init_checkpoint={trained[0]}", "--max_seq_length=16")
    assert status == 0, said
    assert (output / "predictions.tsv").read_bytes() == (
        trained[0] / "predictions.tsv").read_bytes()
    assert (output / "labels.txt").read_text().split() == LABELS
    assert names(output) == sorted([
        "SHA256SUMS", "bert_config.json", "labels.txt", "predict.tf_record",
        "predict.tf_record.json", "predictions.tsv", "run.log", "run_config.json", "runs.json",
        "test_results.tsv", "vocab.txt"])
    assert {path: path.stat().st_mtime_ns for path in trained[0].rglob("*")} == before
