"""Starts a runner or a script host: `python -m locust_runtime --link-fd N`.

The standard library is patched for gevent before anything else is imported, and `import locust` means this
package from then on.
"""

import sys

if not sys.flags.safe_path:
    # The folder that the agent was started in: a module there would hide that the locustfile lacks it.
    del sys.path[0]

from gevent import monkey

monkey.patch_all()

from locust_runtime import import_hook  # noqa: E402

import_hook.install()

if __name__ == "__main__":
    from locust_runtime.run.program import main

    sys.exit(main())
