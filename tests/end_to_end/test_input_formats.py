"""The forms that data, labels and settings may have."""

import csv
import json

import run_classifier_custom
from finetune import records
from tests.conftest import TEXTS
from tests.end_to_end.conftest import (
    ALL,
    ROWS,
    results,
    table,
    write_rows,
)


def write_formats(folder, name, rows):
    """Writes the same records as TSV, CSV, JSON lines and as the JSON list of the first job."""
    for ending in ("tsv", "csv", "jsonl", "json"):
        (folder / ending).mkdir(exist_ok=True)
    lines = [list(rows[0]), *(list(map(str, row.values())) for row in rows)]
    write_rows(folder / "tsv" / f"{name}.tsv", *lines)
    with open(folder / "csv" / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(lines)
    (folder / "jsonl" / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (folder / "json" / f"{name}.json").write_text(json.dumps(rows))


def test_every_format_of_the_first_jobs_records_gives_the_same(run, tmp_path):
    """Title, body and label 0, 1 or 2, a number in JSON; read with no flag for columns."""
    numbers = {label: number for number, label in enumerate(TEXTS)}
    rows = [{"title": text.split(" ", 2)[0], "body": text.split(" ", 1)[1],
             "label": numbers[label]} for text, label in ROWS]
    write_formats(tmp_path, "train", rows)
    write_formats(tmp_path, "dev", rows)
    write_formats(tmp_path, "test", [{"title": row["title"], "body": row["body"]} for row in rows])
    first = tmp_path / "out_json"
    run(f"--data_dir={tmp_path / 'json'}", *ALL, "--num_train_epochs=0.34", "--seed=1",
        f"--output_dir={first}")
    assert (first / "labels.txt").read_text() == "0\n1\n2\n"
    assert len(table(first / "predictions.tsv")) == 1 + len(rows)
    lengths = records.read(str(first / "predict.tf_record")).lengths()
    assert lengths[0] == len(ROWS[0][0].split()) + 2  # title and body, [CLS] and [SEP]
    for ending in ("tsv", "csv", "jsonl"):
        output = tmp_path / f"out_{ending}"
        run(f"--data_dir={tmp_path / ending}", "--do_eval", "--do_predict",
            f"--init_checkpoint={first}", f"--output_dir={output}")
        for name in ("test_results.tsv", "eval_results.txt"):
            assert (output / name).read_bytes() == (first / name).read_bytes()


def test_pairs_positions_labels_file_and_config_file(main, tiny, tmp_path):
    """No header; label, id and the two texts by position; labels with commas; flags from YAML."""
    named = {"bug": "broken, sorry", "feature": 'a "new" thing', "question": "asked"}
    rows = [(named[label], f"n{number}", text, "is it a bug ?")
            for number, (text, label) in enumerate(ROWS)]
    for split in ("train", "dev", "test"):
        write_rows(tmp_path / f"{split}.tsv", *rows)
    (tmp_path / "labels").write_text("asked\nbroken, sorry\na \"new\" thing\n")
    (tmp_path / "run.yaml").write_text(
        f"data_dir: {tmp_path}\ninit_checkpoint: {tiny}\nlabels_file: {tmp_path / 'labels'}\n"
        "header: false\ntext_column: 2\ntext_b_column: [3]\nlabel_column: 0\nid_column: 1\n"
        "do_train: yes\ndo_eval: true\ndo_predict: true\nmax_seq_length: 16\n"
        "learning_rate: 1e-3\ntrain_batch_size: 99\nnum_train_epochs: 1\n")
    output = tmp_path / "out"
    status, said = main(f"--config={tmp_path / 'run.yaml'}", f"--output_dir={output}",
                        "--train_batch_size=5")  # the command line wins
    assert status == 0, said
    assert results(output)["global_step"] == "3"
    head, *predicted = table(output / "predictions.tsv")
    assert head[3:] == ["asked", "broken, sorry", 'a "new" thing']
    assert [row[0] for row in predicted] == [f"n{number}" for number in range(15)]
    ids, segments = records.read(str(output / "train.tf_record")).row(0)
    words = (tiny / "vocab.txt").read_text().split()
    assert [words[token] for token in ids] == [
        "[CLS]", "the", "app", "crashes", "when", "i", "open", "a", "[SEP]",
        "is", "it", "a", "b", "##u", "##g", "[SEP]"]  # 8 and 7 tokens, cut to 7 and 6
    assert segments.tolist() == [0] * 9 + [1] * 7


def test_labels_with_commas_survive_run_config(tmp_path):
    """run_config.json holds the labels of --labels_file as a list; --config reads them back."""
    (tmp_path / "labels").write_text("asked\nbroken, sorry\na \"new\" thing\n")
    config = run_classifier_custom.make_config(
        ["--do_train", "--data_dir=d", "--output_dir=o", f"--labels_file={tmp_path / 'labels'}"])
    (tmp_path / "run_config.json").write_text(json.dumps(config.as_dict()))
    again = run_classifier_custom.make_config([f"--config={tmp_path / 'run_config.json'}"])
    assert again.labels == ("asked", "broken, sorry", 'a "new" thing')


def test_labels_with_characters_that_end_a_line_for_python_only(main, tmp_path, tiny):
    """U+2028 and U+0085 end a line for str.splitlines and for many a reader of labels.txt."""
    rows = [("text", "label"), ("it crashes", "bug\u2028report"), ("why ?", "what\u0085now")]
    write_rows(tmp_path / "train.tsv", *rows)
    status, said = main("--do_train", f"--data_dir={tmp_path}", "--train_batch_size=1",
                        f"--init_checkpoint={tiny}", f"--output_dir={tmp_path / 'out'}")
    assert status == 2
    assert 'train.tsv:2: label "bug\\u2028report" holds a tab or a line break' in said
