"""Runs the command again and again, each time in a process of its own that can be killed.

    python -m tests.faults.zygote      # a JSON list of arguments a line in, a process's id out

TensorFlow is imported once, before any process is made; none of it has run by then.
"""

import json
import os
import sys

import run_classifier_custom
from finetune import runner  # noqa: F401  (with TensorFlow)


def main() -> None:
    """Forks a process for each line, tells its id, and then its wait status."""
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if not child:
            said = os.open(order["log"], os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
            os.dup2(said, 1)
            os.dup2(said, 2)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            status = run_classifier_custom.main(order["arguments"])
            sys.stderr.flush()
            os._exit(status)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    main()
