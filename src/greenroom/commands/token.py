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
    """Print a token that `greenroom serve` accepts if it has the same secret.

    Parameters
    ----------
    user
        Whose token it is: 1 to 255 visible characters.
    ttl
        Seconds until it expires.
    secret
        The secret to sign with. GREENROOM_SECRET is safer: others cannot see it.
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    settings = Settings.load(config, secret=secret)
    if settings.secret is None:
        raise BadSettings(
            ["`secret` must be set: a token is signed with it"],
            advice="set GREENROOM_SECRET to the server's secret",
        )
    claims = {"aud": settings.audience, "iss": settings.issuer}
    given = {name: value for name, value in claims.items() if value is not None}
    print(sign_token(settings.secret, user, ttl, now=None, **given))
