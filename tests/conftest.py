"""Settings that every test file shares."""

import importlib.util
import os

from hypothesis import HealthCheck, settings

# A machine that does other work too is no fault of the code under test: examples have no deadline, and slow
# generation of them is none either. Each test still has pytest's own time limit.
settings.register_profile("m4sc", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("m4sc")

# The companion's library reads this checkout's block files, whichever are installed.
if importlib.util.find_spec("gnuradio") is not None:
    from own_module import block_folders

    os.environ["GR_CONF_GRC_GLOBAL_BLOCKS_PATH"] = block_folders()
