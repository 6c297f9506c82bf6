"""--export_formats: which there are, and what each needs. Imports no TensorFlow."""

import importlib.util
from typing import TYPE_CHECKING

from finetune.config_problems import must_be

if TYPE_CHECKING:
    from finetune.config import RunConfig

# What of export/ each makes.
FORMATS = {"saved_model": "saved_model", "tflite": "model.tflite", "onnx": "model.onnx",
           "huggingface": "huggingface"}
DEFAULT = ("saved_model", "tflite", "huggingface")  # those that need no package besides ours
PACKAGES = {"onnx": ("onnx", "onnxruntime")}


def chosen(config: "RunConfig") -> tuple[str, ...]:
    """Returns the formats to be made, each once."""
    return tuple(dict.fromkeys(config.export_formats or DEFAULT))


def problems(config: "RunConfig") -> list[str]:
    """Returns why an export as the flags ask for it cannot be made."""
    found = []
    if config.export_formats is not None and not config.do_export:
        found.append("--export_formats says what --do_export writes: give --do_export too")
    if not config.do_export:
        return found
    if config.engine == "original":
        found.append("--do_export: --engine=original exports nothing; export its folder by "
                     f"--do_export --output_dir={config.output_dir} without --engine")
    if config.sweep:
        found.append(f"--do_export does not go with --sweep={config.sweep}: export the run that "
                     "is chosen, by --do_export and its folder as --output_dir")
    asked = ",".join(config.export_formats or ())
    for name in chosen(config):
        if name not in FORMATS:
            found.append(f"--export_formats={asked}: {name!r} is none: "
                         + must_be(name, str, FORMATS))
        missing = [one for one in PACKAGES.get(name, ()) if not importlib.util.find_spec(one)]
        if missing:
            found.append(f"--export_formats={asked}: {name} needs {' and '.join(missing)}, which "
                         f"{'is' if len(missing) == 1 else 'are'} not installed; scripts/setup.sh "
                         "--export installs what it needs")
    return found
