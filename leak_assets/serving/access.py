"""Who asks, what they may do and which sites they may see.

How a caller proves who it is stands in `keys` and `guard`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, HTTPException, Request

Role = Literal["viewer", "operator", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "operator", "admin")


@dataclass(frozen=True)
class Caller:
    """Somebody who asks.

    Parameters
    ----------
    name
        Name of the key; written with what the caller changes.
    role
        `viewer` reads, `operator` also says what becomes of incidents, `admin` also sees who may.
    sites
        Names of the sites that exist for the caller; None: all.
    """

    name: str
    role: Role
    sites: frozenset[str] | None = None

    def may_see(self, site: str) -> bool:
        """Whether a site exists for the caller."""
        return self.sites is None or site in self.sites

    def seen(self, sites: Iterable[str]) -> list[str]:
        """Return those of some sites that exist for the caller, in order."""
        return [site for site in sites if self.may_see(site)]

    def is_at_least(self, role: Role) -> bool:
        """Whether the caller may do what a role may."""
        return ROLES.index(self.role) >= ROLES.index(role)


def caller_of(request: Request) -> Caller:
    """Return who asks, as the guard found out."""
    found = request.scope.get("caller")
    if not isinstance(found, Caller):
        # A route that the guard does not stand before must not answer.
        raise HTTPException(401, "say who you are", {"WWW-Authenticate": "Bearer"})
    return found


def needs(role: Role) -> Callable[[Request], Caller]:
    """Return a dependency that lets callers of a role, or of a higher one, pass."""

    def check(request: Request) -> Caller:
        caller = caller_of(request)
        if not caller.is_at_least(role):
            raise HTTPException(403, f"this needs a key of role {role}; yours is {caller.role}")
        return caller

    return check


Viewer = Annotated[Caller, Depends(needs("viewer"))]
Operator = Annotated[Caller, Depends(needs("operator"))]
Admin = Annotated[Caller, Depends(needs("admin"))]
