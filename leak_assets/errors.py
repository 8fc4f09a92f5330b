"""The errors a user can mend. Every one names the thing, the value and the remedy.

Only errors whose cause is outside the program belong here; a broken invariant is an
ordinary exception. The command line turns an `InputError` into one line and exit code 2.
"""

from collections.abc import Callable
from typing import Any


class InputError(ValueError):
    """Input that cannot be used, told in one line.

    Parameters
    ----------
    problem
        What is wrong, in words that name the offending value.
    remedy
        What the user can do about it.
    file, row, column
        Where it is. `row` counts lines of the file from 1 (the header is row 1).
    """

    def __init__(
        self,
        problem: str,
        *,
        remedy: str,
        file: object | None = None,
        row: int | None = None,
        column: str | None = None,
    ) -> None:
        self.problem = problem
        self.remedy = remedy
        self.file = None if file is None else str(file)
        self.row = row
        self.column = column
        where = ", ".join(
            part
            for part in (
                self.file,
                None if row is None else f"row {row}",
                None if column is None else f"column {column}",
            )
            if part
        )
        super().__init__(f"{where}: {problem}. {remedy}" if where else f"{problem}. {remedy}")

    def __reduce__(self) -> tuple[Callable[..., "InputError"], tuple[object, ...]]:
        """Pickle by the arguments, so that the error comes back whole from a worker process."""
        arguments = {
            "remedy": self.remedy,
            "file": self.file,
            "row": self.row,
            "column": self.column,
        }
        return _rebuilt, (type(self), self.problem, arguments)


def _rebuilt(kind: type[InputError], problem: str, arguments: dict[str, Any]) -> InputError:
    return kind(problem, **arguments)


class MissingInputError(InputError):
    """An upstream table or artefact that has not been made yet."""


class HydraulicError(RuntimeError):
    """The hydraulic engine stopped or warned; the message names simulation time and element."""
