"""Trained folders without training, services without TensorFlow, and clients for them."""

import contextlib
import http.client
import json
import shutil
import threading
import time

import numpy as np
import pytest

from finetune.confidence.calibration import RAW
from finetune.options.long_texts import LongTexts
from finetune.serving.limits import Limits
from finetune.task_kind import TaskKind

LABELS = ["question", "bug", "feature"]


def make_trained(folder, source, labels):
    """Writes what a run leaves: the encoder of `source` with a head for these labels."""
    from finetune import outputs
    from finetune.bert_config import BertConfig, variable_shapes
    from finetune.checkpoints import checkpoint, checksums

    folder.mkdir(parents=True)
    for name in ("vocab.txt", "bert_config.json"):
        shutil.copy(source / name, folder)
    config = BertConfig.from_json_file(str(folder / "bert_config.json"))
    random = np.random.default_rng(4)
    values = checkpoint.read(str(source / "bert_model.ckpt"), list(variable_shapes(config)))
    rows = len(labels)
    values["output_weights"] = random.standard_normal((rows, config.hidden_size)).astype("f") * 3
    values["output_bias"] = random.standard_normal(rows).astype("f")
    checkpoint.save(str(folder / "model.ckpt-7"), {**values, "global_step": np.int64(7)})
    (folder / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-7"\n')
    outputs.write_labels(str(folder), labels)
    outputs.write_json(str(folder / "run_config.json"), {
        "max_seq_length": 16, "do_lower_case": "cased" not in source.name})
    checksums.write(str(folder), ("labels.txt", "vocab.txt", "bert_config.json"))
    return folder


@pytest.fixture(scope="session")
def classifier(tiny, tmp_path_factory):
    """Folder of a classifier of LABELS, 16 tokens."""
    return make_trained(tmp_path_factory.mktemp("use") / "classifier", tiny, LABELS)


@pytest.fixture(scope="session")
def regression(tiny, tmp_path_factory):
    """Folder of a regression, 16 tokens."""
    return make_trained(tmp_path_factory.mktemp("use") / "regression", tiny, ["score"])


@pytest.fixture(scope="session")
def predictor(classifier):
    from finetune import Predictor

    return Predictor(str(classifier))


class Model:
    """Stands in for a Predictor; a text of n letters has the probability 1 / (n + 1) of a bug.

    Attributes:
        batches: the texts of each call.
        free: unset, calls wait.
    """

    labels, kind, max_seq_length = ["bug", "feature"], TaskKind.CLASSIFICATION, 16
    long_texts = LongTexts()
    calibration, trained_on = RAW, None

    def __init__(self):
        self.batches, self.free = [], threading.Event()
        self.free.set()

    def answers(self, texts):
        self.batches.append(list(texts))
        assert self.free.wait(30)
        if "poison" in texts:
            raise ValueError("poison")
        bug = np.array([1 / (1 + len("".join(text))) for text in texts], np.float32)
        return np.stack([bug, 1 - bug], 1)


class Client:
    """Speaks to a service; one connection a request."""

    def __init__(self, port):
        self.port = port

    def ask(self, method, path, body=None, headers=None, timeout=30):
        """Returns (status, what the JSON holds or else the text, headers)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            content = answer.read()
        if answer.headers.get_content_type() == "application/json":
            return answer.status, json.loads(content), answer.headers
        return answer.status, content.decode(), answer.headers

    def post(self, body, **headers):
        """Posts to /v1/predict, as JSON unless it is bytes already."""
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", "/v1/predict", body, {"Content-Type": "application/json",
                                                      **headers})[:2]

    def predict(self, *texts):
        """Returns the predictions of texts that have to be answered."""
        status, body = self.post({"texts": texts})
        assert status == 200, body
        return body["predictions"]


@contextlib.contextmanager
def serving(model, hosts=None, **limits):
    """Runs the application in a thread of this process; gives (client, server)."""
    from finetune.serving.server import _bound, of

    with _bound("127.0.0.1", 0) as listener:
        server = of(model, Limits(**limits), hosts)
        thread = threading.Thread(target=lambda: server.run(sockets=[listener]), daemon=True)
        thread.start()
        wait_until(lambda: server.started)
        try:
            yield Client(listener.getsockname()[1]), server
        finally:
            getattr(model, "free", threading.Event()).set()
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def in_threads(work, arguments, seconds=60):
    """Calls work for each argument, all at once; returns what each returned, or raised."""
    found = [None] * len(arguments)

    def one(place):
        try:
            found[place] = work(arguments[place])
        except Exception as error:
            found[place] = error
    threads = [threading.Thread(target=one, args=(place,), daemon=True)
               for place in range(len(arguments))]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0, end - time.monotonic()))
    assert not any(thread.is_alive() for thread in threads), "some had no answer"
    return found
