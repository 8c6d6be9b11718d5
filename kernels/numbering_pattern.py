"""Digit patterns of numbering plans as small programs for the matcher in kernels/numbers.pyx.

The patterns of libphonenumber's metadata are a small part of regular expressions: digits, `\\d`, classes,
groups, alternatives, `?`, `{m}`, `{m,n}` and `$`. A program is a list of steps `(operation, set, target)`;
`set` is a mask of the ten digits. There are no loops, so a program always ends.
"""

from typing import NamedTuple

# The values are known to kernels/numbers.pyx too.
MATCH = 0  # the pattern has matched
DIGIT = 1  # one digit of `set`
SPLIT = 2  # the next step when the next digit may be in `set`, and `target` when that fails
JUMP = 3  # go on at `target`
OPEN = 4  # the last capturing group begins here
CLOSE = 5  # and ends here
END = 6  # the end of the number

ANY = 0x3FF
MAX_REPEATS = 24  # more digits than any number has


Step = tuple[int, int, int]


class Node(NamedTuple):
    """A parsed pattern: `kind` is digit, sequence, choice, repeat, group or end."""

    kind: str
    parts: tuple["Node", ...] = ()
    set: int = 0
    least: int = 0
    most: int = 0


class PatternError(ValueError):
    """The pattern uses what the matcher does not know."""


def compile_pattern(pattern: str, whole: bool = False) -> list[Step]:
    """The program of `pattern`; with `whole`, the number must end where the pattern ends."""
    parser = _Parser(pattern)
    tree = parser.choice()
    if parser.at != len(pattern):
        raise PatternError(f"unbalanced ')' at {parser.at} of {pattern!r}")
    steps: list[Step] = []
    _emit(tree, steps, last_group=parser.groups)
    if whole:
        steps.append((END, 0, 0))
    steps.append((MATCH, 0, 0))
    return steps


def first_digits(pattern: str) -> int:
    """The set of digits with which a match that takes at least one digit can begin."""
    return _first(_Parser(pattern).choice())[0]


class _Parser:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.groups = 0

    def peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def take(self, text: str) -> bool:
        found = self.pattern.startswith(text, self.at)
        if found:
            self.at += len(text)
        return found

    def choice(self) -> Node:
        branches = [self.sequence()]
        while self.take("|"):
            branches.append(self.sequence())
        return branches[0] if len(branches) == 1 else Node("choice", tuple(branches))

    def sequence(self) -> Node:
        items = []
        while self.peek() not in ("", "|", ")"):
            items.append(self.repeated(self.item()))
        return Node("sequence", tuple(items))

    def item(self) -> Node:
        if self.take("(?:"):
            return self.closed(self.choice())
        if self.take("("):
            self.groups += 1
            number = self.groups
            return Node("group", (self.closed(self.choice()),), least=number)
        if self.take("$"):
            return Node("end")
        if self.take(r"\d"):
            return Node("digit", set=ANY)
        if self.take("["):
            return Node("digit", set=self.digit_class())
        if self.peek().isdigit():
            self.at += 1
            return Node("digit", set=1 << int(self.pattern[self.at - 1]))
        raise PatternError(f"unknown syntax at {self.at} of {self.pattern!r}")

    def closed(self, node: Node) -> Node:
        if not self.take(")"):
            raise PatternError(f"missing ')' at {self.at} of {self.pattern!r}")
        return node

    def digit_class(self) -> int:
        inside, closed, _ = self.pattern[self.at :].partition("]")
        if not closed or not inside.replace("-", "").isdigit():
            raise PatternError(f"bad class at {self.at} of {self.pattern!r}")
        self.at += len(inside) + 1
        return _class_set(inside)

    def repeated(self, node: Node) -> Node:
        if self.take("?"):
            return Node("repeat", (node,), least=0, most=1)
        if not self.take("{"):
            return node
        bounds, _, _ = self.pattern[self.at :].partition("}")
        self.at += len(bounds) + 1
        least, comma, most = bounds.partition(",")
        if not least.isdigit() or (comma and not most.isdigit()):
            raise PatternError(f"bad repeat {{{bounds}}} in {self.pattern!r}")
        repeat = Node("repeat", (node,), least=int(least), most=int(most or least))
        if not 0 <= repeat.least <= repeat.most <= MAX_REPEATS:
            raise PatternError(f"bad repeat {{{bounds}}} in {self.pattern!r}")
        return repeat


def _class_set(text: str) -> int:
    digits, at = 0, 0
    while at < len(text):
        low = high = int(text[at])
        if text[at + 1 : at + 2] == "-":
            high = int(text[at + 2])
            at += 2
        for digit in range(low, high + 1):
            digits |= 1 << digit
        at += 1
    return digits


def _first(node: Node) -> tuple[int, bool]:
    """The digits with which `node` can begin, and whether it can match without a digit."""
    if node.kind == "digit":
        return node.set, False
    if node.kind == "end":
        return 0, True
    if node.kind == "choice":
        firsts = [_first(part) for part in node.parts]
        digits = 0
        for one, _ in firsts:
            digits |= one
        return digits, any(empty for _, empty in firsts)
    if node.kind == "repeat":
        digits, empty = _first(node.parts[0])
        return digits, empty or node.least == 0
    digits = 0
    for part in node.parts:
        one, empty = _first(part)
        digits |= one
        if not empty:
            return digits, False
    return digits, True


def _split(node: Node, steps: list[Step]) -> int:
    """Appends a split before `node` and returns its place; the target is patched in later."""
    digits, empty = _first(node)
    # A node that may match nothing depends on what follows: it is always tried.
    steps.append((SPLIT, ANY + 1 if empty else digits, 0))
    return len(steps) - 1


def _emit(node: Node, steps: list[Step], last_group: int) -> None:
    if node.kind == "digit":
        steps.append((DIGIT, node.set, 0))
    elif node.kind == "end":
        steps.append((END, 0, 0))
    elif node.kind == "sequence":
        for part in node.parts:
            _emit(part, steps, last_group)
    elif node.kind == "group":
        # Only the last group is ever read: by the transform rules of national prefixes.
        if node.least == last_group:
            steps.append((OPEN, 0, 0))
        _emit(node.parts[0], steps, last_group)
        if node.least == last_group:
            steps.append((CLOSE, 0, 0))
    elif node.kind == "choice":
        _emit_choice(node, steps, last_group)
    else:
        _emit_repeat(node, steps, last_group)


def _emit_choice(node: Node, steps: list[Step], last_group: int) -> None:
    exits = []
    for part in node.parts[:-1]:
        split = _split(part, steps)
        _emit(part, steps, last_group)
        exits.append(len(steps))
        steps.append((JUMP, 0, 0))
        steps[split] = (SPLIT, steps[split][1], len(steps))
    _emit(node.parts[-1], steps, last_group)
    for at in exits:
        steps[at] = (JUMP, 0, len(steps))


def _emit_repeat(node: Node, steps: list[Step], last_group: int) -> None:
    for _ in range(node.least):
        _emit(node.parts[0], steps, last_group)
    splits = []
    for _ in range(node.most - node.least):
        splits.append(_split(node.parts[0], steps))
        _emit(node.parts[0], steps, last_group)
    for at in splits:
        steps[at] = (SPLIT, steps[at][1], len(steps))
