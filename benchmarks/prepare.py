"""Makes what contestants share: a task's rows as JSON lines, a model in both formats.

    python -m benchmarks.prepare task mrpc --data_dir=glue_data/MRPC --output_dir=FOLDER
    python -m benchmarks.prepare model checkpoints/minilm --output_dir=FOLDER

benchmarks/workloads.py calls it, in a process of its own. `generated:ROWS:WORDS` is a task of so
many rows of so many words; `bert-base` is a model of that shape with random weights, whose
vocabulary is that of --vocabulary_of.
"""

import argparse
import json
import os
import random
import shutil
from collections.abc import Iterable, Iterator
from typing import Any

BASE = {"attention_probs_dropout_prob": 0.1, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
        "hidden_size": 768, "initializer_range": 0.02, "intermediate_size": 3072,
        "max_position_embeddings": 512, "num_attention_heads": 12, "num_hidden_layers": 12,
        "type_vocab_size": 2}
ISSUES = {"train_file": "issues_train.csv", "dev_file": "issues_test.csv",
          "test_file": "issues_test.csv", "text_column": ("title", "body"),
          "label_column": "label"}
METHODS = {"train": "get_train_examples", "dev": "get_dev_examples", "test": "get_test_examples"}
WORDS = ("please", "add", "an", "option", "to", "save", "the", "new", "file", "when", "app", "page",
         "with", "error", "how", "can", "we", "use", "it", "for")


def main() -> None:
    """Makes what the command line asks for."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("kind", choices=("task", "model"))
    parser.add_argument("name")
    parser.add_argument("--output_dir", required=True)
    parser.add_argument("--data_dir")
    parser.add_argument("--max_rows", type=int, help="training rows to take, from the first")
    parser.add_argument("--vocabulary_of", help="a folder with vocab.txt")
    options = parser.parse_args()
    os.makedirs(options.output_dir, exist_ok=True)
    if options.kind == "model":
        make_model(options.name, options.output_dir, options.vocabulary_of)
    elif options.name.startswith("generated:"):
        rows, words = map(int, options.name.split(":")[1:])
        write_task(options.output_dir, ["0", "1"],
                   {"train": generated(rows, words), "dev": generated(32, words)})
    else:
        read_task(options.name, options.output_dir, options.data_dir, options.max_rows)


def read_task(name: str, folder: str, data_dir: str, max_rows: int | None) -> None:
    """Writes a task folder of a task that the project knows, or of the NLBSE issues."""
    import processors
    known = {} if name != "issues" else ISSUES
    processor = processors.create(
        processors.get("delimited" if name == "issues" else name), {"data_dir": data_dir, **known},
        {"data_dir"})
    splits = {split: [{key: getattr(row, key) for key in ("guid", "text_a", "text_b", "label")}
                      for row in getattr(processor, method)(data_dir)]
              for split, method in METHODS.items()}
    splits["train"] = splits["train"][:max_rows]
    labels = processor.get_labels() or sorted({row["label"] for row in splits["train"]})
    write_task(folder, labels, splits)


def generated(rows: int, words: int) -> Iterator[dict[str, Any]]:
    """Yields rows of exactly so many common words, each one token of an uncased vocabulary."""
    draw = random.Random(words)
    for number in range(rows):
        yield {"guid": f"g-{number}", "text_a": " ".join(draw.choices(WORDS, k=words)),
               "text_b": None, "label": str(number % 2)}


def write_task(folder: str, labels: list[str], splits: dict[str, Iterable[dict]]) -> None:
    """Writes a task folder, see benchmarks/worker.py."""
    for split, rows in splits.items():
        with open(os.path.join(folder, f"{split}.jsonl"), "w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(row) + "\n")
    with open(os.path.join(folder, "labels.json"), "w", encoding="utf-8") as file:
        json.dump(labels, file)


def make_model(name: str, folder: str, vocabulary_of: str | None) -> None:
    """Writes folder/tf, a checkpoint, and folder/huggingface, the same for transformers."""
    from finetune import command
    command.hide_gpus()
    from finetune.sources import to_huggingface
    checkpoint = os.path.join(folder, "tf")
    if name == "bert-base":
        random_model(checkpoint, vocabulary_of)
    else:
        os.makedirs(checkpoint, exist_ok=True)
        for file in os.listdir(name):
            if file in ("bert_config.json", "vocab.txt") or file.startswith("bert_model.ckpt"):
                shutil.copy(os.path.join(name, file), checkpoint)
    to_huggingface.convert(checkpoint, os.path.join(folder, "huggingface"))


def random_model(folder: str, vocabulary_of: str) -> None:
    """Writes a checkpoint of BERT-base's shape, as it is before pre-training."""
    from finetune import encoder
    from finetune.bert_config import BertConfig, variable_shapes
    from finetune.checkpoints import checkpoint
    os.makedirs(folder, exist_ok=True)
    vocabulary = os.path.join(vocabulary_of, "vocab.txt")
    shutil.copy(vocabulary, folder)
    with open(vocabulary, encoding="utf-8") as file:
        fields = {**BASE, "vocab_size": sum(1 for _ in file)}
    with open(os.path.join(folder, "bert_config.json"), "w", encoding="utf-8") as file:
        json.dump(fields, file, indent=2)
    checkpoint.save(os.path.join(folder, "bert_model.ckpt"), {
        name: encoder.initial_value(name, shape, 0.02, 1) for name, shape in
        variable_shapes(BertConfig.from_dict(fields, "bert-base")).items()})


if __name__ == "__main__":
    main()
