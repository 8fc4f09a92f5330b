"""Options that several commands share, with the bounds of what they can take.

Options of one command stand in its signature; leaks and events as text are in `leak_options`.
"""

from datetime import UTC, date, datetime
from typing import Annotated

import typer

from leak_assets.errors import InputError

# What fits into the 64-bit columns that seeds are written to.
LARGEST_SEED = 2**63 - 1

AnyNetwork = Annotated[str, typer.Option(help="Network name, or path of an .inp file.")]
RegisteredNetwork = Annotated[
    str,
    typer.Option(help="Name of a packaged or registered network, or path of its .inp file."),
]
AsOf = Annotated[
    str | None,
    typer.Option(help="Answer as things stood then, e.g. 2019-03-04T12:00 (UTC, or with offset)."),
]


def moment(text: str | None) -> datetime | None:
    """Return a point in time that was given as text, UTC where it has no offset.

    Raises
    ------
    InputError
        It is no time.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"{text!r} is no point in time", remedy="Write it as 2019-03-04 or 2019-03-04T12:00:00Z"
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def day(text: str) -> date:
    """Return a day that was given as text.

    Raises
    ------
    InputError
        It is no day.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{text!r} is no day", remedy="Write it as 2019-03-04") from error


THRESHOLD = (
    "Of `windows` the score from which a window alarms (0 to 1); of `likelihood` twice the log"
    " likelihood ratio at which a change is believed (40 in operation)."
)


def named_values(texts: list[str] | None) -> dict[str, str]:
    """Return options given as NAME=VALUE.

    Raises
    ------
    InputError
        One has another form.
    """
    found = {}
    for text in texts or ():
        name, sign, value = text.partition("=")
        if not (sign and name.strip() and value.strip()):
            raise InputError(
                f"--set {text!r} is not NAME=VALUE", remedy="Write it as --set alarm=30"
            )
        found[name.strip().replace("-", "_")] = value.strip()
    return found
