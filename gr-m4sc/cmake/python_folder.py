"""Print the package folder, relative to the prefix given, that this interpreter has on its path.

Debian's Python reads ``lib/python3.X/dist-packages`` under /usr/local and ``lib/python3/dist-packages`` under
/usr; other builds read ``lib/python3.X/site-packages``. A prefix that is not on the path at all gets the
interpreter's own layout, and a word on PYTHONPATH on stderr.
"""

import sys
from pathlib import Path

prefix = Path(sys.argv[1]).resolve()
for entry in sys.path:
    folder = Path(entry)
    if folder.name in ("dist-packages", "site-packages") and folder.is_relative_to(prefix):
        relative = folder.relative_to(prefix)
        # /usr/local lies below /usr: take a folder of this prefix only
        if relative.parts[0] in ("lib", "lib64", "Lib"):
            print(relative.as_posix())
            break
else:
    relative = Path(f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages")
    print(relative.as_posix())
    print(
        f"note: {prefix / relative} is not on {sys.executable}'s path; set PYTHONPATH to it", file=sys.stderr
    )
