"""Options that several commands share, with the bounds of what they can take.

Options of one command stand in its signature; leaks and events as text are in `leak_options`.
"""

from typing import Annotated

import typer

# What fits into the 64-bit columns that seeds are written to.
LARGEST_SEED = 2**63 - 1

AnyNetwork = Annotated[str, typer.Option(help="Network name, or path of an .inp file.")]
RegisteredNetwork = Annotated[
    str,
    typer.Option(help="Name of a packaged or registered network, or path of its .inp file."),
]
