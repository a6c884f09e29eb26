"""`python -m serinus_runtime.server`.

The first process of a container ignores SIGTERM unless it says otherwise. Until the server drains
by its own handler, nobody asks it anything, so being told to end ends it at once.
"""

import signal
import sys

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

from serinus_runtime.server.main import main  # noqa: E402 (importing takes most of the start)

if __name__ == "__main__":
    code = main()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it has ended; Python would die of one more
    sys.exit(code)
