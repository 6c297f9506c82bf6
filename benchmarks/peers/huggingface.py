"""Hugging Face Trainer as a contestant, in its own interpreter; see benchmarks/worker.py.

    HUGGINGFACE_PYTHON -m benchmarks.peers.huggingface train --order=grouped --task=FOLDER ...

With its best settings for this work on a CPU: fast tokenizer over all rows at once, batches padded
to their own longest row, rows grouped by length (--order=grouped) or by chance (random, as the
paper), SDPA attention, fused AdamW, no worker processes. Prediction: rows sorted by length, no
Trainer. "gelu_new" becomes "gelu_pytorch_tanh", the same function in one kernel.
"""

import os
import time
from argparse import Namespace
from typing import Any

import accelerate
import torch
import transformers
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from benchmarks import worker


def read_model(options: Namespace) -> tuple[Any, Any]:
    """Returns the tokenizer and a classifier of the model folder."""
    transformers.logging.set_verbosity_error()
    labels = worker.read_labels(options.task)
    config = AutoConfig.from_pretrained(options.huggingface_model, num_labels=len(labels))
    if config.hidden_act == "gelu_new":
        config.hidden_act = "gelu_pytorch_tanh"
    torch.manual_seed(42)
    model = AutoModelForSequenceClassification.from_pretrained(
        options.huggingface_model, config=config, attn_implementation="sdpa")
    return AutoTokenizer.from_pretrained(options.huggingface_model), model


def features(options: Namespace, tokenizer: Any, split: str) -> tuple[list[dict], float]:
    """Returns the rows of a split as a Trainer reads them, and the seconds that took."""
    rows, labels = worker.read_rows(options.task, split), worker.read_labels(options.task)
    began = time.perf_counter()
    texts = [[row["text_a"] for row in rows]]
    if any(row["text_b"] for row in rows):
        texts.append([row["text_b"] or "" for row in rows])
    found = tokenizer(*texts, truncation=True, max_length=options.max_seq_length)
    numbers = {label: number for number, label in enumerate(labels)}
    made = [{"input_ids": ids, "token_type_ids": types, "attention_mask": mask}
            for ids, types, mask in zip(found["input_ids"], found["token_type_ids"],
                                        found["attention_mask"], strict=True)]
    if split != "test":
        for item, row in zip(made, rows, strict=True):
            item["labels"] = numbers[row["label"]]
    return made, time.perf_counter() - began


class Clock(TrainerCallback):
    """Notes when each step ended."""

    def __init__(self):
        self.times = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """See base class."""
        self.times.append(time.perf_counter())


class Sample(Trainer):
    """A Trainer that makes a few steps whose batches stand for those of an epoch."""

    def __init__(self, counts: tuple[int, int], **settings: Any):
        self._counts = counts
        super().__init__(**settings)

    def _get_train_sampler(self, *arguments: Any) -> list[int]:
        order, size = list(super()._get_train_sampler(*arguments)), self.args.train_batch_size
        rows = [order[start:start + size] for start in range(0, len(order) - size + 1, size)]
        costs = [max(len(self.train_dataset[row]["input_ids"]) for row in batch)
                 for batch in rows]
        self.padded = [costs[place] * size for place in worker.representative(
            costs, self._counts[1])]
        return [row for count in self._counts for place in worker.representative(costs, count)
                for row in rows[place]]


def arguments(options: Namespace, **more: Any) -> TrainingArguments:
    """Returns the settings of a Trainer."""
    return TrainingArguments(
        output_dir=options.output_dir, per_device_train_batch_size=options.batch_size,
        per_device_eval_batch_size=32, learning_rate=5e-5, warmup_steps=0.1, weight_decay=0.01,
        train_sampling_strategy=("group_by_length" if options.order == "grouped" else "random"),
        save_strategy="no", logging_strategy="no", report_to="none", disable_tqdm=True,
        use_cpu=True, **more)


def train(options: Namespace) -> dict[str, Any]:
    """Times training steps, padding and all."""
    tokenizer, model = read_model(options)
    rows, seconds = features(options, tokenizer, "train")
    clock, counts = Clock(), (options.warmup_steps, options.steps)
    trainer = Sample(counts, model=model, args=arguments(options, max_steps=sum(counts)),
                     train_dataset=rows, data_collator=DataCollatorWithPadding(tokenizer),
                     processing_class=tokenizer, callbacks=[clock])
    trainer.train()
    per_step = (clock.times[-1] - clock.times[-1 - options.steps]) / options.steps
    rate = options.batch_size / per_step
    return {"examples_per_second": worker.with_features(rate, len(rows), seconds),
            "in_steps": rate, "feature_seconds": seconds, "step_seconds": per_step,
            "tokens_per_step": sum(trainer.padded) / len(trainer.padded)}


def whole(options: Namespace) -> dict[str, Any]:
    """Trains, saves, evaluates and predicts, as run_glue.py does."""
    tokenizer, model = read_model(options)
    split = {name: features(options, tokenizer, name)[0] for name in ("train", "dev", "test")}
    trainer = Trainer(
        model=model, args=arguments(options, num_train_epochs=options.epochs),
        train_dataset=split["train"], eval_dataset=split["dev"], processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_metrics=lambda found: {
            "accuracy": float((found.predictions.argmax(-1) == found.label_ids).mean())})
    trainer.train()
    trainer.save_model()
    scores = trainer.evaluate()
    answers = torch.softmax(torch.tensor(trainer.predict(split["test"]).predictions), -1)
    with open(os.path.join(options.output_dir, "test_results.tsv"), "w") as file:
        file.writelines("\t".join(map(str, row)) + "\n" for row in answers.tolist())
    return {"accuracy": scores["eval_accuracy"]}


def predict(options: Namespace) -> dict[str, Any]:
    """Times text to probabilities for the rows of the training split, without their labels."""
    tokenizer, model = read_model(options)
    model.eval()

    def forward(batch: dict) -> torch.Tensor:
        with torch.inference_mode():
            return torch.softmax(model(**batch).logits, -1)
    return measure_prediction(options, tokenizer, forward)


def measure_prediction(options: Namespace, tokenizer: Any, forward: Any) -> dict[str, Any]:
    """Times features and `forward` of all rows, sorted by length, with the best batch size."""
    rows, seconds = features(options, tokenizer, "train")
    for row in rows:
        row.pop("labels")

    def spent(chosen: list[dict], size: int) -> float:
        began = time.perf_counter()
        order = sorted(range(len(chosen)), key=lambda row: -len(chosen[row]["input_ids"]))
        answers = [None] * len(chosen)
        for start in range(0, len(order), size):
            places = order[start:start + size]
            batch = tokenizer.pad([chosen[place] for place in places], return_tensors="pt")
            for place, answer in zip(places, forward(batch), strict=True):
                answers[place] = answer
        return time.perf_counter() - began

    sample = [rows[place] for place in worker.representative(
        [len(row["input_ids"]) for row in rows], min(512, len(rows)))]
    spent(sample, options.batch_sizes[0])
    size = min(options.batch_sizes, key=lambda size: spent(sample, size))
    predict_seconds = spent(rows, size)
    return {"rows_per_second": len(rows) / (seconds + predict_seconds), "feature_seconds": seconds,
            "predict_seconds": predict_seconds, "best_batch_size": size}


def latency(options: Namespace) -> dict[str, Any]:
    """Times the calls of a pipeline: one text, and all with the best batch size."""
    tokenizer, model = read_model(options)
    asked = transformers.pipeline("text-classification", model=model, tokenizer=tokenizer,
                                  top_k=None, device="cpu")
    texts = [{"text": a, "text_pair": b} if b else {"text": a}
             for a, b in worker.some_texts(options.task)]
    cut = {"truncation": True, "max_length": options.max_seq_length}
    found = worker.calls(lambda text: asked([text], **cut), texts)

    def spent(size: int) -> float:
        began = time.perf_counter()
        asked(texts, batch_size=size, **cut)
        return time.perf_counter() - began

    spent(options.batch_sizes[0])
    return {**found, "rows_per_second": len(texts) / min(map(spent, options.batch_sizes))}


def versions() -> dict[str, str]:
    """Returns what decides the speed."""
    return {"torch": torch.__version__, "transformers": transformers.__version__,
            "accelerate": accelerate.__version__, "threads": str(torch.get_num_threads())}


if __name__ == "__main__":
    worker.main({"train": train, "whole": whole, "predict": predict, "latency": latency}, versions)
