"""Files that only their user may read: keys, tokens, and what was remembered of masters.

Must never leave a secret readable by others for a moment, nor a file half written.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import platformdirs

from locust_protocol.process.errors import UsageError

FOLDER_MODE = 0o700
FILE_MODE = 0o600

SECURITY_DIR_VARIABLE = "LOCUST_SECURITY_DIR"


def security_folder() -> Path:
    """Returns $LOCUST_SECURITY_DIR, or our folder in the user's data ($XDG_DATA_HOME, ~/.local/share)."""
    if chosen := os.environ.get(SECURITY_DIR_VARIABLE):
        return Path(chosen)
    return Path(platformdirs.user_data_dir("locust-grpc"))


def make_private_folder(folder: Path) -> None:
    """Makes a folder that only its user may enter. Raises `UsageError` when it cannot be, or is another's."""
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        found = folder.stat()
        if found.st_uid != os.geteuid():
            raise UsageError(
                f"{folder} belongs to another user", remedy=f"choose a folder with {SECURITY_DIR_VARIABLE}"
            )
        if stat.S_IMODE(found.st_mode) & 0o077:
            folder.chmod(FOLDER_MODE)
    except OSError as error:
        raise UsageError(
            f"cannot keep keys in {folder}: {error.strerror or error}",
            remedy=f"make it writable for you, or choose another with {SECURITY_DIR_VARIABLE}",
        ) from error


def write_private(path: Path, content: str | bytes) -> None:
    """Writes a file that only its user may read, whole or not at all. Raises `UsageError`."""
    data = content.encode() if isinstance(content, str) else content
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), FILE_MODE)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error


def read_private(path: Path) -> str | None:
    """Returns the text of a file, None when there is none. Raises `UsageError` when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(f"cannot read {path}: {reason}") from error
