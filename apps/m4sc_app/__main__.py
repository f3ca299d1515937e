"""`python -m m4sc_app` is `m4sc`."""

import sys

from m4sc_app.start import main

sys.exit(main())
