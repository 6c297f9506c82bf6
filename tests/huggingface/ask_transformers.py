"""Runs in an environment with transformers and torch: makes models, and answers with them.

    python tests/huggingface/ask_transformers.py plan.json answers.json

plan.json: {"make": [{"folder", "settings", "files", "dtype", "cased"}, ...],
            "answer": [folder, ...], "texts": [[text, second text or null], ...]}
answers.json: folder -> {"ids", "logits", "labels", "tokenizer", "missing"}
"""

import json
import os
import sys

import torch
import transformers


def make(folder, settings, words, files="safetensors", dtype="float32", cased=False):
    """Writes a classifier with random weights as transformers or torch.save does."""
    torch.manual_seed(5)
    config = transformers.BertConfig(**settings)
    model = transformers.BertForSequenceClassification(config)
    with torch.no_grad():
        for name, value in model.named_parameters():
            value.normal_(float("LayerNorm.weight" in name), 0.25)
    model.to(getattr(torch, dtype))
    vocabulary = os.path.join(folder, "vocab.txt")
    os.makedirs(folder)
    with open(vocabulary, "w", encoding="utf-8") as file:
        file.writelines(word + "\n" for word in words)
    if files == "safetensors":
        model.save_pretrained(folder)
        tokenizer = transformers.BertTokenizer.from_pretrained(folder, do_lower_case=not cased)
        tokenizer.save_pretrained(folder)
        os.remove(vocabulary)  # what is left is a tokenizer.json, as transformers writes today
        return
    with open(os.path.join(folder, "tokenizer_config.json"), "w") as file:
        json.dump({"do_lower_case": not cased}, file)
    if files == "sharded":
        model.save_pretrained(folder, max_shard_size="20KB")
        return
    config.architectures = ["BertForSequenceClassification"]
    config.save_pretrained(folder)
    state = model.state_dict()
    if files == "bin":
        torch.save(state, os.path.join(folder, "pytorch_model.bin"))
        return
    places = {name: f"pytorch_model-{1 + row % 2}.bin" for row, name in enumerate(state)}
    for shard in set(places.values()):
        # Transposed there and back: the numbers lie in another order than the tensor's.
        torch.save({name: value.T.contiguous().T if value.ndim == 2 else value
                    for name, value in state.items() if places[name] == shard},
                   os.path.join(folder, shard))
    with open(os.path.join(folder, "pytorch_model.bin.index.json"), "w") as file:
        json.dump({"metadata": {}, "weight_map": places}, file)


def answer(folder, texts):
    """Loads a folder as a user would, and returns what it says of the texts."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model, report = transformers.AutoModelForSequenceClassification.from_pretrained(
        folder, output_loading_info=True)
    model = model.float().eval()
    ids, logits = [], []
    for text, second in texts:
        inputs = tokenizer(text, second, truncation=True, max_length=40, return_tensors="pt")
        ids.append(inputs["input_ids"][0].tolist())
        with torch.no_grad():
            logits.append(model(**inputs).logits[0].tolist())
    return {"ids": ids, "logits": logits, "labels": model.config.id2label,
            "problem_type": model.config.problem_type, "model_max_length":
            tokenizer.model_max_length, "missing": sorted(report["missing_keys"]),
            "unexpected": sorted(report["unexpected_keys"])}


def main(plan_path, answers_path):
    """Does what the plan says."""
    with open(plan_path, encoding="utf-8") as file:
        plan = json.load(file)
    for one in plan.get("make", []):
        make(**one)
    with open(answers_path, "w", encoding="utf-8") as file:
        json.dump({folder: answer(folder, plan["texts"]) for folder in plan["answer"]}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
