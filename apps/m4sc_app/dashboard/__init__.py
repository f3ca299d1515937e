"""`m4sc dashboard`: a live page of a link, on this machine."""

from m4sc_app.dashboard.command import dashboard_command

__all__ = ["dashboard_command"]
