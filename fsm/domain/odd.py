"""A value in what others have written that is there and cannot be read."""


class Odd:
    """Stands in a tree where a value is that has no one meaning.

    ``problem`` goes on after the value's name ("is there twice"), ``shown`` is for
    people's eyes and decides nothing, ``content`` tells one such value from another.
    It equals nothing but itself, so no reader takes it for a value.
    """

    __slots__ = ("content", "problem", "shown")

    def __init__(
        self, problem: str, *, content: object = None, shown: str | None = None
    ) -> None:
        self.problem = problem
        self.content = content
        self.shown = shown

    def __repr__(self) -> str:
        """Tell what is wrong, and nothing of what was said."""
        return f"<{self.problem}>"
