#!/usr/bin/env bash
# Remake the lock files: requirements.lock, -test, -export, -serve, -gpu, -tpu from pyproject.toml, for Python
# 3.10 to 3.13 (TPU: 3.12); those of the original flow, for Python 3.9 to 3.11 and for Python 3.7, from below.
#
#   scripts/lock.sh                        keep the locked versions that still fit
#   scripts/lock.sh --upgrade              take the newest versions
#   scripts/lock.sh --upgrade-package six  take the newest version of one package
#   scripts/lock.sh --help                 show this text
#
# Needs uv (pip install uv), or UV=/path/to/uv. Arguments are passed on to "uv pip compile".

set -euo pipefail

readonly TENSORFLOW=2.21.0 # the newest of pyproject.toml's range that the tests have run on
readonly TENSORFLOW_TPU=2.19.1 # of the releases on PyPI the one that Google's guides name for v5p and v6e

case "${1:-}" in -h | --help) exec sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;; esac

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
uv="${UV:-uv}"
command -v -- "$uv" >/dev/null || {
    echo "lock.sh: uv not found. Install it (pip install uv) or name it: UV=/path/to/uv" >&2
    exit 1
}

compile() {
    "$uv" pip compile --quiet --universal --generate-hashes --no-emit-index-url \
        --no-emit-find-links --custom-compile-command scripts/lock.sh "$@"
}

# What a user of the fast engine needs.
ours() {
    compile --python-version 3.10 "$@" pyproject.toml - <<<"tensorflow==$TENSORFLOW"
}

ours --output-file requirements.lock "$@"
ours --output-file requirements-test.lock --extra test --constraint requirements.lock "$@"
ours --output-file requirements-export.lock --extra export --constraint requirements-test.lock "$@"
ours --output-file requirements-serve.lock --extra serve --constraint requirements-test.lock "$@"

# The same with CUDA's libraries, which TensorFlow's wheel finds beside itself.
compile --python-version 3.10 --output-file requirements-gpu.lock --constraint requirements.lock "$@" \
    pyproject.toml - <<<"tensorflow[and-cuda]==$TENSORFLOW"

# tensorflow-tpu brings a tensorflow of its own, which the package tensorflow would overwrite. As
# tf-keras asks for that one, setup.sh installs this lock without looking at dependencies.
compile --python-version 3.10 --output-file requirements-tpu.lock --override <(
    printf '%s\n' "tensorflow; python_version < '3'" "tensorflow-intel; python_version < '3'"
) "$@" pyproject.toml - <<<"tensorflow-tpu==$TENSORFLOW_TPU
tf-keras==${TENSORFLOW_TPU%.*}.*"

# The last TensorFlow that has Estimator; what finetune/original/flow.py and upstream.py import.
compile --python-version 3.9 --output-file requirements-original.lock "$@" - <<END
tensorflow==2.15.1
bert-tensorflow==1.0.4
absl-py
numpy<2
six
END

# What google-research/bert was written for.
compile --python-version 3.7 --output-file requirements-original-tf1.lock "$@" - <<END
tensorflow==1.15.5
bert-tensorflow==1.0.1
importlib-metadata
numpy<1.19
protobuf<3.21
six
END
