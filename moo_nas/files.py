"""Files that are there whole or not at all."""

import contextlib
import os
from pathlib import Path

from moo_nas.errors import InputError


def write_whole(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Put a file in place, whole; the one before stays if that fails.

    Args:
        path: The file.
        content: What it holds; text is written as UTF-8, its line ends as they are.

    Raises:
        InputError: It cannot be written.
    """
    target = Path(path)
    fresh = target.with_name(f".{target.name}.new")
    try:
        fresh.write_bytes(content.encode() if isinstance(content, str) else content)
        fresh.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise InputError(f"{target} cannot be written: {error.strerror or error}.") from error
    return target
