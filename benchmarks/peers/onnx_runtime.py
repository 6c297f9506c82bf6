"""onnxruntime as a contestant in prediction, float32; see benchmarks/worker.py.

    HUGGINGFACE_PYTHON -m benchmarks.peers.onnx_runtime predict --task=FOLDER ...

The model that Hugging Face predicts with, exported by torch and fused for transformers by
onnxruntime's own optimizer (attention, LayerNorm, gelu). Rows sorted by length, the best batch
size.
"""

import os
import warnings
from argparse import Namespace
from typing import Any

import onnxruntime
import torch
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions

from benchmarks import worker
from benchmarks.peers import huggingface

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class Probabilities(torch.nn.Module):
    """A classifier whose arguments have an order."""

    def __init__(self, model: torch.nn.Module):
        super().__init__()
        self.model = model

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Returns float32[B, L] of int64[B, S] each."""
        return torch.softmax(self.model(**dict(zip(INPUTS, inputs, strict=True))).logits, -1)


def export(options: Namespace, model: torch.nn.Module, path: str) -> None:
    """Writes the model as ONNX, fused."""
    model.eval()
    model.set_attn_implementation("eager")  # whose graph the fusion knows
    axes = dict.fromkeys((*INPUTS, "probabilities"), {0: "batch", 1: "length"})
    axes["probabilities"] = {0: "batch"}
    example = tuple(torch.ones((2, 8), dtype=torch.long) for _ in INPUTS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is traced
        torch.onnx.export(
            Probabilities(model).eval(), example,
            path, input_names=list(INPUTS), output_names=["probabilities"], dynamic_axes=axes,
            opset_version=17, dynamo=False)
    config = model.config
    fused = optimizer.optimize_model(
        path, "bert", num_heads=config.num_attention_heads, hidden_size=config.hidden_size,
        optimization_options=FusionOptions("bert"), opt_level=1, use_gpu=False)
    fused.save_model_to_file(path)
    print({name: count for name, count in fused.get_fused_operator_statistics().items() if count})


def predict(options: Namespace) -> dict[str, Any]:
    """Times text to probabilities for the rows of the training split, without their labels."""
    tokenizer, model = huggingface.read_model(options)
    os.makedirs(options.output_dir, exist_ok=True)
    path = os.path.join(options.output_dir, "model.onnx")
    export(options, model, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]

    def forward(batch: dict) -> Any:
        return session.run(None, {name: batch[name].numpy() for name in names})[0]

    check = {name: torch.randint(1, 2 if name == "attention_mask" else high, (3, 11))
             for name, high in zip(INPUTS, (1000, 2, 2), strict=True)}
    with torch.inference_mode():
        difference = float(abs(Probabilities(model)(*check.values()).numpy()
                               - forward(check)).max())
    if difference > 1e-3:
        raise SystemExit(f"the exported model's probabilities differ from torch's by {difference}")
    del model
    found = huggingface.measure_prediction(options, tokenizer, forward)
    return {**found, "difference_from_torch": difference}


def versions() -> dict[str, str]:
    """Returns what decides the speed."""
    return {"onnxruntime": onnxruntime.__version__, **huggingface.versions()}


if __name__ == "__main__":
    worker.main({"predict": predict}, versions)
