"""`python -m serinus_runtime.server`."""

import sys

from serinus_runtime.server.main import main

if __name__ == "__main__":
    sys.exit(main())
