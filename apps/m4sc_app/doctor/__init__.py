"""`m4sc doctor`: what the radio and the models need, what is missing, and the cure."""

from m4sc_app.doctor.command import doctor_command, run_checks

__all__ = ["doctor_command", "run_checks"]
