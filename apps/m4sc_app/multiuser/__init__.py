"""`m4sc multiuser`: one frame for several users, beside what else could have been sent."""

from m4sc_app.multiuser.command import multiuser_command

__all__ = ["multiuser_command"]
