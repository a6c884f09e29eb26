"""`python -m serinus_runtime.server`."""

import sys

from serinus_runtime.server.main import main

sys.exit(main())
