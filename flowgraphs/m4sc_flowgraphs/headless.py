"""How a headless flowgraph ends: one sentence for bad input, exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Callable


def run_twin(main: Callable[[], None]) -> None:
    """Run a generated ``main``; what its blocks refuse is told in one sentence instead of a traceback.

    Ends the process: 0 done, 2 refused (a wrong value, a missing file or device), 130 stopped by the user.
    """
    try:
        main()
    except (ValueError, OSError, RuntimeError) as exc:
        print(f"{sys.argv[0].rsplit('/', 1)[-1]}: {str(exc).strip().splitlines()[0]}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
