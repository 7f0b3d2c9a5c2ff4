"""`greenroom token`: a token for trying things out, or for a script."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from greenroom.settings import BadSettings, Settings
from greenroom.transport.auth.tokens import sign_token

LONGEST_TTL = 100 * 365 * 86_400


def token(
    *,
    user: str,
    ttl: Annotated[float, Parameter(validator=Number(gt=0, lte=LONGEST_TTL))] = 3600,
    secret: str | None = None,
    config: Path | None = None,
) -> None:
    """Print a token that `greenroom serve` with the same secret takes, and nothing else.

    Parameters
    ----------
    user
        Whose token it is: 1 to 255 visible characters.
    ttl
        Seconds until it expires.
    secret
        The secret to sign with. Others can see it here: prefer GREENROOM_SECRET.
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    settings = Settings.load(config, secret=secret)
    if settings.secret is None:
        raise BadSettings(
            ["a token needs the secret to sign with, and there is none"],
            advice="set GREENROOM_SECRET to that of the server",
        )
    claims = {"aud": settings.audience, "iss": settings.issuer}
    given = {name: value for name, value in claims.items() if value is not None}
    print(sign_token(settings.secret, user, ttl, now=None, **given))
