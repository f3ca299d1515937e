"""Settings that every test file shares."""

from hypothesis import HealthCheck, settings

# A machine that does other work too is no fault of the code under test: examples have no deadline, and slow
# generation of them is none either. Each test still has pytest's own time limit.
settings.register_profile("m4sc", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("m4sc")
