"""TensorFlow Hub as a source of checkpoints: --bert_hub_module_handle.

    from finetune.sources import hub
    folder = hub.checkpoint_of("https://tfhub.dev/google/bert_uncased_L-12_H-768_A-12/1")

A handle becomes a folder (by tensorflow-hub's own resolver, which downloads and keeps modules),
the folder becomes a checkpoint in the original's format, once, in the cache; from there on the
run is one with --init_checkpoint. Nothing of the module is executed: see saved_model.py.
"""

import dataclasses
import errno
import hashlib
import os
import shutil
import tempfile
from typing import Any

import tensorflow as tf

from finetune import log, outputs
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.sources import download, saved_model
from finetune.start import own_checkpoint

FLAG = "--bert_hub_module_handle"
CACHE = "TFHUB_CACHE_DIR"
NOTES = "module.json"
_FORMAT = b"1"  # of what is kept; another number makes all conversions anew


def with_checkpoint(config: RunConfig) -> tuple[RunConfig, list[str]]:
    """Replaces --bert_hub_module_handle by what its module gives: --init_checkpoint and casing.

    A folder that a run with the same handle has trained in holds all that is needed; the module
    is then not looked for.

    Returns:
        The settings, and what is worth telling. Without a handle: the settings as they are.

    Raises:
        UserError: there is no such module, or the flags contradict it.
    """
    handle = config.bert_hub_module_handle
    if not handle:
        return config, []
    if config.init_checkpoint:  # RunConfig.problems() says that they exclude each other
        return dataclasses.replace(config, do_lower_case=config.do_lower_case is not False), []
    trained = outputs.read_object(os.path.join(config.output_dir, outputs.RUN_CONFIG)) or {}
    if own_checkpoint(config) and trained.get("bert_hub_module_handle") == handle:
        return _with_casing(config, trained.get("do_lower_case")), []
    folder = checkpoint_of(handle)
    notes = outputs.read_json(os.path.join(folder, NOTES)) or {}
    config = _with_casing(config, notes["do_lower_case"])
    if not (config.vocab_file or os.path.exists(os.path.join(folder, outputs.VOCABULARY))):
        raise UserError(f"{FLAG}={handle}: the module has no vocabulary; give --vocab_file")
    return dataclasses.replace(config, init_checkpoint=folder), [
        f"{handle}: {notes['kind']}, {notes['summary']}; --do_lower_case="
        f"{str(config.do_lower_case).lower()}"]


def _with_casing(config: RunConfig, of_module: bool | None) -> RunConfig:
    given = config.do_lower_case
    if given is None and of_module is None:
        raise UserError(f"{FLAG}={config.bert_hub_module_handle}: the module does not say whether "
                        "it is an uncased model; give --do_lower_case=true or =false")
    if None not in (given, of_module) and given != of_module:
        raise UserError(
            f"--do_lower_case={str(given).lower()} contradicts {FLAG}="
            f"{config.bert_hub_module_handle}, which is {'an un' if of_module else 'a '}cased "
            "model; leave --do_lower_case out")
    return dataclasses.replace(config, bert_hub_module_handle=None,
                               do_lower_case=of_module if given is None else given)


def checkpoint_of(handle: str) -> str:
    """Returns the folder of a module's checkpoint in the original's format; made if need be.

    Args:
        handle: an address, or a folder.

    Returns:
        A folder with bert_model.ckpt.*, bert_config.json, module.json and, if the module has a
        vocabulary, vocab.txt. It lies in TFHUB_CACHE_DIR and is named after the contents of the
        module, so that one that has changed is converted anew.

    Raises:
        UserError: no such module, no network, no room, or no BERT.
    """
    folder = resolve(handle)
    try:
        module = saved_model.read(folder)
        target = os.path.join(_cache(), "bert-" + _digest(module))
        if not _is_whole(target, module):
            _convert(module, target)
    except UserError as error:
        raise UserError([f"{FLAG}={handle}: {problem}" for problem in error.problems]) from error
    except OSError as error:
        raise UserError(f"{FLAG}={handle}: its checkpoint cannot be written to {_cache()} "
                        f"({error.strerror or error}); name another folder in {CACHE}") from error
    return target


def resolve(handle: str) -> str:
    """Returns the folder of a module: the handle itself, or what tensorflow-hub downloads.

    Raises:
        UserError: there is none, with what to do by hand.
    """
    if tf.io.gfile.isdir(handle):
        return handle
    if "://" not in handle:
        raise UserError(f"{FLAG}={handle}: there is no such folder, and it is no address "
                        "(https://tfhub.dev/...)")
    by_http = handle.lower().startswith(("http://", "https://"))
    if by_http:
        try:
            download.require_safe(handle)
        except UserError as error:
            raise UserError(f"{FLAG}={error}") from error
    try:
        with log.quiet():
            import tensorflow_hub
            from tensorflow_hub.compressed_module_resolver import HttpCompressedFileResolver
    except ImportError as error:
        raise UserError(f"{FLAG}={handle}: tensorflow-hub cannot be imported ({error}); it needs "
                        f"setuptools below 82 and tf-keras. {_by_hand(handle)}") from error

    class Resolver(HttpCompressedFileResolver):
        """tensorflow-hub's own, which by itself would follow a redirection to plain http."""

        def _call_urlopen(self, request: Any) -> Any:
            return download.opener(handle).open(request, timeout=60)

    try:
        os.makedirs(_cache(), exist_ok=True)
        log.LOGGER.info("looking for %s in %s, else downloading it", handle, _cache())
        return Resolver()(handle) if by_http else tensorflow_hub.resolve(handle)
    except UserError as error:
        raise UserError(f"{FLAG}={handle}: cannot be fetched: {error}") from error
    except (OSError, EOFError, ValueError, RuntimeError, tf.errors.OpError) as error:
        reason = " ".join(str(getattr(error, "message", error)).split())
        raise UserError(f"{FLAG}={handle}: cannot be fetched ({reason}). {_by_hand(handle)}"
                        ) from error


def _by_hand(handle: str) -> str:
    return ("On a machine with a network: mkdir module; curl -L "
            f"'{handle}?tf-hub-format=compressed' | tar -xzC module; then give the folder: "
            f"{FLAG}=module")


def _cache() -> str:
    """Returns the folder that tensorflow-hub keeps modules in.

    Raises:
        UserError: it is the one for everybody, and somebody else was there first.
    """
    given = os.environ.get(CACHE, "")
    if given and "://" not in given:
        return given
    folder = os.path.join(tempfile.gettempdir(), "tfhub_modules")
    if os.path.lexists(folder) and os.lstat(folder).st_uid != os.getuid():
        raise UserError(f"{folder}: belongs to another user, who can change the modules in it; "
                        f"name a folder of your own in {CACHE}")
    return folder


def _digest(module: saved_model.Module) -> str:
    """Names a module by its contents; the index of the variables holds a checksum of each."""
    digest = hashlib.sha256(_FORMAT)
    parts = [os.path.join(module.folder, saved_model.FILE),
             saved_model.variables_of(module.folder) + ".index", module.vocab_file]
    for path in filter(None, parts):
        with tf.io.gfile.GFile(path, "rb") as file:
            digest.update(hashlib.sha256(file.read()).digest())
    return digest.hexdigest()[:16]


def _is_whole(target: str, module: saved_model.Module) -> bool:
    """Whether a checkpoint is there; what cleans a temporary folder up takes single files."""
    names = [NOTES, outputs.BERT_CONFIG, *[outputs.VOCABULARY] * bool(module.vocab_file)]
    return checkpoint.exists(os.path.join(target, checkpoint.PRETRAINED)) and all(
        os.path.isfile(os.path.join(target, name)) for name in names)


def _convert(module: saved_model.Module, target: str) -> None:
    """Makes the checkpoint's folder under another name, then renames it."""
    config, parent = module.config, os.path.dirname(target)
    tensors = module.tensors()
    os.makedirs(parent, exist_ok=True)
    download.require_room(parent, sum(value.nbytes for value in tensors.values()))
    with tempfile.TemporaryDirectory(prefix=".converting-", dir=parent) as work:
        made = os.path.join(work, "made")
        os.mkdir(made)
        checkpoint.save(os.path.join(made, checkpoint.PRETRAINED), tensors)
        outputs.write_text(os.path.join(made, outputs.BERT_CONFIG), config.to_json())
        if module.vocab_file:
            outputs.copy(module.vocab_file, os.path.join(made, outputs.VOCABULARY))
        outputs.write_json(os.path.join(made, NOTES), {
            "module": module.folder, "kind": module.kind, "do_lower_case": module.do_lower_case,
            "summary": f"{config.num_hidden_layers} layers, {config.hidden_size} wide, "
                       f"{config.num_attention_heads} heads ({module.inferred}), "
                       f"{config.hidden_act}, {config.vocab_size} tokens"})
        try:
            os.rename(made, target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            if not _is_whole(target, module):  # else another process was faster, and made the same
                shutil.rmtree(target)
                os.rename(made, target)
