"""Serves a trained model over HTTP; scripts/serve.sh calls it.

    scripts/serve.sh output/mine --port=9000
"""

import argparse
import dataclasses
import importlib.util
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

from finetune import command, log, tensorflow_import  # noqa: E402
from finetune.errors import UserError  # noqa: E402
from finetune.serving.limits import Limits  # noqa: E402

PACKAGES = ("fastapi", "uvicorn", "prometheus_client")
HELP = {
    "text_characters": "most characters of one text",
    "request_rows": "most texts of a request",
    "body_bytes": "most bytes of a request",
    "body_seconds": "seconds until a request has come in whole",
    "queue_rows": "texts that may wait for the model; more are answered with 503",
    "batch_rows": "texts computed at a time",
    "batch_wait_ms": "milliseconds that a batch which is not full waits for more; 0: none",
    "connections": "connections at a time; more are answered with 503"}


def main(arguments: list[str] | None = None) -> int:
    """Runs the service; returns the exit status: 2 a mistake, 130 Ctrl-C, 143 SIGTERM."""
    options = vars(_parser().parse_args(arguments))
    model, host, port = (options.pop(name) for name in ("MODEL", "host", "port"))
    return command.run(lambda: serve(model, host, port, Limits(**options)), None,
                       "requests that were under way have been answered")


def serve(folder: str, host: str, port: int, limits: Limits) -> None:
    """Serves until a signal comes.

    Raises:
        UserError: packages are missing; a limit, the address or the folder cannot be used.
    """
    lacking = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if lacking:
        raise UserError(f"{sys.executable} lacks {', '.join(lacking)}; scripts/setup.sh --serve "
                        "installs them")
    from finetune.serving import server

    def load() -> object:
        with log.quiet():
            tensorflow_import.load()
            from finetune.trained import Predictor
        model = Predictor(folder)
        log.LOGGER.info("%s: %s", model.checkpoint, ", ".join(model.labels[:20]))
        return model

    server.run(load, host, port, limits)


def _parser() -> argparse.ArgumentParser:
    parser = command.Parser(
        prog="serve.sh", description="Serves a trained model over HTTP.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("MODEL", help="a run's output_dir (its best checkpoint, else its newest), "
                        "or a checkpoint's prefix")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; the default is "
                        "reached from this machine alone")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one, and tells it")
    for field in dataclasses.fields(Limits):
        parser.add_argument(f"--{field.name}", type=type(field.default), default=field.default,
                            help=HELP[field.name])
    return parser


if __name__ == "__main__":
    sys.exit(main())
