"""Settings: every choice of an operator as one checked class, the sources it is read from (a TOML
file, `GREENROOM_*` variables, keywords) and the values that each setting accepts.
"""

from greenroom.settings.settings import Settings
from greenroom.settings.sources import BadSettings

__all__ = ["BadSettings", "Settings"]
