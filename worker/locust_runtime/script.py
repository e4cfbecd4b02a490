"""Runs a script in which `import locust` means us: `python -m locust_runtime.script FILE [ARGUMENT …]`.

For `run_single_user` in a debugger and for scripts that use the package as a library. It patches the
standard library for gevent and installs the import hook, before anything else is imported.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path


def main() -> None:
    """Runs the file that the command line names, as `__main__`, in its own folder's import path."""
    if len(sys.argv) < 2:
        raise SystemExit("usage: python -m locust_runtime.script FILE [ARGUMENT ...]")
    from gevent import monkey

    monkey.patch_all()

    from locust_runtime import import_hook

    import_hook.install()
    del sys.argv[0]
    sys.path.insert(0, str(Path(sys.argv[0]).resolve().parent))
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
