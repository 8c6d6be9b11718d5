"""Text off the wire, made safe for a terminal."""


def printable(text: str) -> str:
    """`text` with everything replaced that would not simply be seen: control characters, escape sequences among them,
    and invisible ones, such as bidirectional overrides."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
