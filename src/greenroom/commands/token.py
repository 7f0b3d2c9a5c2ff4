"""`greenroom token`: a token for trying things out, or for a script."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from greenroom.commands.options import BadOptions
from greenroom.settings import BadSettings, Settings
from greenroom.settings.keys import token_for
from greenroom.transport.auth.service_tokens import ANY, sign_service_token

LONGEST_TTL = 100 * 365 * 86_400


def token(
    *,
    user: Annotated[list[str], Parameter(consume_multiple=False, negative="")],
    service: str | None = None,
    agent: Annotated[list[str], Parameter(consume_multiple=False, negative="")] | None = None,
    ttl: Annotated[float, Parameter(validator=Number(gt=0, lte=LONGEST_TTL))] = 3600,
    secret: str | None = None,
    config: Path | None = None,
) -> None:
    """Print a token that `greenroom serve` accepts if it has the same secret.

    Parameters
    ----------
    user
        Whose token it is: 1 to 255 visible characters. With --service, whom it may speak to, once
        for each: a user id, or the beginning of ids followed by `*`.
    service
        Make a token for a program of this name, with which it speaks to users over HTTP.
    agent
        With --service, as which agents it may speak; as any, if left out.
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
    if service is not None:
        return print(_service_token(settings, settings.secret, service, ttl, user, agent))
    if len(user) != 1 or agent:
        raise BadOptions(
            "a user's token takes one --user and no --agent",
            advice="--service makes a token for a program, which may speak to several users",
        )
    return print(token_for(settings, settings.secret, user[0], ttl))


def _service_token(
    settings: Settings,
    secret: str,
    service: str,
    ttl: float,
    users: list[str],
    agents: list[str] | None,
) -> str:
    try:
        return sign_service_token(
            secret,
            service,
            ttl,
            users=users,
            agents=agents or [ANY],
            audience=settings.audience,
            issuer=settings.issuer,
        )
    except ValueError as error:
        raise BadOptions(str(error)) from error
