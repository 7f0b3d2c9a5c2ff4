"""Settings: what an operator may choose, checked when it is read."""

from greenroom.settings.settings import BadSettings, Settings

__all__ = ["BadSettings", "Settings"]
