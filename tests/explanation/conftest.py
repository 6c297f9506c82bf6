"""Models to explain: a tiny one with random weights, and one trained on a planted cue."""

import random
import types

import pytest

import run_classifier_custom
from finetune import model
from finetune.bert_config import BertConfig
from finetune.checkpoints import checkpoint
from finetune.explanation import Explainer
from finetune.tokenization import Tokenizer
from tests.conftest import WORDS

LABELS = ["no", "perhaps", "yes"]
CUES = {"no": "zorp", "yes": "Mubli"}  # made up: the vocabulary has letters for them only


def model_of(folder, labels, prefix=None, lower=True):
    """Returns what `explain` takes: state, bert_config, tokenizer, labels."""
    config = BertConfig.from_json_file(str(folder / "bert_config.json"))
    prefix = prefix or str(folder / "bert_model.ckpt")
    shapes = model.variable_shapes(config, len(labels))
    held = checkpoint.shapes(prefix)
    values = checkpoint.read(prefix, [name for name in shapes if name in held])
    state = model.create(config, len(labels), 7, values, training=False)
    return types.SimpleNamespace(state=state, bert_config=config, labels=labels,
                                 tokenizer=Tokenizer(folder / "vocab.txt", lower))


@pytest.fixture(scope="session")
def untrained(tiny):
    """The tiny checkpoint, made livelier: its layers bend, and its logits differ by units."""
    return lively(model_of(tiny, LABELS))


def lively(made):
    """Returns the model with larger products in its layers and its head."""
    for name, weight in made.state.weights.items():
        if name.endswith("kernel") or name == "output_weights":
            weight.assign(weight * (100.0 if name == "output_weights" else 4.0))
    return made


@pytest.fixture(scope="session")
def arguments(untrained):
    """What `explain` takes behind the texts."""
    return (untrained.state, untrained.bert_config, untrained.tokenizer, LABELS, 32)


@pytest.fixture(scope="session")
def explainer(arguments):
    """Explains with the untrained model; its graph is traced once."""
    return Explainer(*arguments)


def planted(rows, seed):
    """Rows of words drawn at random, one of which decides the label."""
    draw, made = random.Random(seed), []
    for _ in range(rows):
        label = draw.choice(sorted(CUES))
        words = draw.choices([word for word in WORDS if word.isalpha()], k=draw.randint(3, 10))
        words.insert(draw.randint(0, len(words)), CUES[label])
        made.append((" ".join(words), label))
    return made


@pytest.fixture(scope="session")
def cue_run(tiny, tmp_path_factory):
    """(output folder, texts, labels) of a run on planted cues that explains 60 test rows."""
    data, folder = tmp_path_factory.mktemp("cue"), tmp_path_factory.mktemp("cue_run") / "output"
    for name, rows in (("train", planted(320, 1)), ("test", planted(80, 2))):
        lines = ["text\tlabel", *(f"{text}\t{label}" for text, label in rows)]
        (data / f"{name}.tsv").write_text("\n".join(lines) + "\n")
    status = run_classifier_custom.main([
        f"--data_dir={data}", f"--init_checkpoint={tiny}", f"--output_dir={folder}",
        "--max_seq_length=32", "--train_batch_size=16", "--num_train_epochs=5",
        "--learning_rate=1e-3", "--do_train", "--do_predict", "--do_explain", "--explain_rows=60"])
    assert status == 0
    return folder, *zip(*planted(80, 2), strict=True)
