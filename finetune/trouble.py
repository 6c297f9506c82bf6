"""What stops a run at its work and is no defect: a full disk, a lost folder, too little memory.

    except trouble.KINDS as error:
        mistake = trouble.of(error, config)       # None: a defect, whose traceback is wanted
"""

import errno
import os
import re
from typing import TYPE_CHECKING

import tensorflow as tf

from finetune import output_folder
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.errors import UserError

if TYPE_CHECKING:
    from finetune.preflight import Prepared

# TensorFlow says of a file "path; Is a directory".
_OF_A_FILE = re.compile("; (?:" + "|".join(re.escape(os.strerror(one)) for one in (
    errno.ENOENT, errno.EIO, errno.ENXIO, errno.EPERM, errno.EEXIST, errno.ENOTDIR, errno.EISDIR,
    errno.EINVAL, errno.ENFILE, errno.EMFILE, errno.ETXTBSY, errno.EFBIG, errno.ENAMETOOLONG,
    errno.ENOTEMPTY, errno.ELOOP)) + ")")
KINDS = (OSError, MemoryError, tf.errors.OpError)
_MOST = 300  # characters of what TensorFlow says


def of(error: Exception, config: RunConfig,
       prepared: "Prepared | None" = None) -> UserError | None:
    """Returns the user's view of an error, or None where it can only be a defect.

    Args:
        prepared: None while the run is still being checked.
    """
    ours = isinstance(error, UserError)  # of a file that could not be written, or anything else
    if ours and (prepared is None or not isinstance(error.__cause__, (OSError, tf.errors.OpError))):
        return None
    text = re.sub(r"\{\{.*?\}\}", "", str(getattr(error, "message", error)))  # names of operations
    folder, text = config.output_dir, " ".join(text.split())
    if "File system scheme" in text:
        return UserError(f"--output_dir={folder}: {text}" if folder in text else text[:_MOST])
    if folder in text and not tf.io.gfile.isdir(folder):
        return UserError(f"--output_dir={folder}: the folder is gone ({text}), and with it what "
                         "the run has written; the same command starts anew")
    for sign, reason, remedy in (
            ("No space left on device", "the disk is full", "make room"),
            ("Disk quota exceeded", "the disk is full", "make room"),
            ("Permission denied", "cannot be written to", "allow it"),
            ("Read-only file system", "cannot be written to", "allow it")):
        if sign in text:
            last = checkpoint.latest(folder)
            if remedy == "make room" and prepared:
                remedy += f" ({output_folder.room_told(prepared)})"
            return UserError(f"--output_dir={folder}: {reason} ({text}); {remedy} and run the same "
                             f"command again. Last whole checkpoint: {last or 'none yet'}")
    if ours:
        return None
    if isinstance(error, (MemoryError, tf.errors.ResourceExhaustedError)):
        return UserError(f"not enough memory ({text[:_MOST]}); lower --train_batch_size, "
                         "--eval_batch_size, --predict_batch_size or --max_seq_length, or compute "
                         "a step in parts by --gradient_accumulation_steps")
    if isinstance(error, OSError) or _OF_A_FILE.search(text):
        return UserError(text[:_MOST])
    return None
