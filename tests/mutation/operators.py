"""Which mutants a module has: mutmut's operators, and two that take a check away.

mutmut changes values, comparisons and arguments; it never drops a statement. What an attack
wants gone is a statement: the ``raise`` behind an ``if``, the call of a ``_check``. What is
left out is left out by rule, never by hand: ``docs/mutants.md`` says the rules.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import CodeType
from typing import Any

# Only in the environment of `make .venv/deep`; the ordinary checkers run without them.
cst: Any = import_module("libcst")
metadata: Any = import_module("libcst.metadata")
mutmut_operators: Any = import_module("mutmut.mutation.mutators").mutation_operators

# As in mutmut: a call of these with something dropped breaks and shows nothing.
_NEVER = {"len", "isinstance", "cast"}


@dataclass(frozen=True)
class Mutant:
    """One change: the function it is in, where, what stood there and what stands there now."""

    function: str
    line: int
    before: str
    after: str
    code: CodeType


def mutants(path: Path) -> Iterator[Mutant]:
    """Yield the mutants of a file, in the order of its lines."""
    code = path.read_text(encoding="utf-8")
    original = compile(code, "original", "exec", dont_inherit=True)
    wrapper = metadata.MetadataWrapper(cst.parse_module(code), unsafe_skip_copy=True)
    visitor = _Visitor()
    wrapper.visit(visitor)
    lines = code.splitlines()
    raw = code.encode()
    nodes = cst.Module([])
    seen: dict[str, set[bytes]] = {}
    for function, line, (start, end), old, new in visitor.found:
        changed = raw[:start] + nodes.code_for_node(new).encode() + raw[end:]
        try:
            compiled = code_of(compile(changed, "mutant", "exec", dont_inherit=True), function)
        except SyntaxError:  # an argument without a name after one with a name
            continue
        known = seen.setdefault(function, {_shape(code_of(original, function))})
        if (shape := _shape(compiled)) not in known:  # another mutant may already be the same
            known.add(shape)
            yield Mutant(function, line, lines[line - 1].strip(), _first(old, new), compiled)


def code_of(code: CodeType, path: str) -> CodeType:
    """Return the code of a function inside the code of its module."""
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            if inner.co_qualname == path:
                return inner
            if path.startswith(inner.co_qualname + "."):
                return code_of(inner, path)
    raise LookupError(path)


def _shape(code: CodeType) -> bytes:
    """Return what a function does, without where its lines stand."""
    inner = (repr(_shape(c)) if isinstance(c, CodeType) else repr(c) for c in code.co_consts)
    return repr((code.co_code, code.co_names, code.co_varnames, *inner)).encode()


def _first(old: Any, new: Any) -> str:
    """Say a change in one line."""
    texts = (" ".join(cst.Module([]).code_for_node(node).split()) for node in (old, new))
    before, after = (text if len(text) < 70 else text[:67] + "..." for text in texts)
    return f"{before}  ->  {after}"


def _dropped(node: Any) -> Iterator[Any]:
    """Yield ``pass`` for a raise, and for a call whose result nobody takes."""
    if isinstance(node, cst.Raise):
        yield cst.Pass()
    if isinstance(node, cst.Expr):
        value = node.value
        value = value.expression if isinstance(value, cst.Await) else value
        if isinstance(value, cst.Call):
            yield cst.Pass()


def _never_taken(node: Any) -> Iterator[Any]:
    """Yield the ``if`` that is never taken; one that only raises is dropped as a raise."""
    if not isinstance(node, cst.If):
        return
    first = node.body.body[0]
    raises = isinstance(first, cst.SimpleStatementLine) and isinstance(first.body[0], cst.Raise)
    if not raises:
        yield node.with_changes(test=cst.Name("False"))


def _called(node: Any) -> str:
    """Return the last name of what is called."""
    function = node.func
    if isinstance(function, cst.Name):
        return str(function.value)
    return str(function.attr.value) if isinstance(function, cst.Attribute) else ""


def _acts_at_load(node: Any) -> bool:
    """Say whether this acts when the module is loaded, or never."""
    return isinstance(node, cst.Annotation | cst.Decorator | cst.Parameters)


def _says_nothing(node: Any) -> bool:
    """Say whether a change in here shows nothing: a docstring, or a call of ``_NEVER``."""
    if isinstance(node, cst.Call):
        return _called(node) in _NEVER
    return isinstance(node, cst.Expr) and isinstance(node.value, cst.SimpleString)


class _Visitor(cst.CSTVisitor):  # type: ignore[misc]  # pyright: ignore[reportUntypedBaseClass]
    METADATA_DEPENDENCIES = (metadata.PositionProvider, metadata.ByteSpanPositionProvider)

    def __init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.found: list[tuple[str, int, tuple[int, int], Any, Any]] = []
        self._names: list[tuple[bool, str]] = []

    def on_visit(self, node: Any) -> bool:
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self._names.append((isinstance(node, cst.FunctionDef), node.name.value))
        if _acts_at_load(node):
            return False
        if not any(is_function for is_function, _ in self._names):
            return True
        if isinstance(node, cst.Call) and _called(node).endswith("Error"):
            self._visit_rule(node)
            return False
        if _says_nothing(node):
            return False
        self._mutate(node)
        return True

    def on_leave(self, original_node: Any) -> None:
        if isinstance(original_node, cst.FunctionDef | cst.ClassDef):
            self._names.pop()

    def _mutate(self, node: Any) -> None:
        function = ".".join(self._outer())
        line = self.get_metadata(metadata.PositionProvider, node, None)
        span = self.get_metadata(metadata.ByteSpanPositionProvider, node, None)
        if line is None or span is None:
            return  # white space
        place = (span.start, span.start + span.length)
        changes = [
            new for kind, do in mutmut_operators if isinstance(node, kind) for new in do(node)
        ]
        for new in (*changes, *_dropped(node), *_never_taken(node)):
            self.found.append((function, line.start.line, place, node, new))

    def _outer(self) -> Iterator[str]:
        """Yield the names down to the outermost function: its code is what is exchanged."""
        for is_function, name in self._names:
            yield name
            if is_function:
                return

    def _visit_rule(self, call: Any) -> None:
        """Mutate the rule of a refusal, and none of its words."""
        for argument in call.args:
            if argument.keyword is not None and argument.keyword.value == "rule":
                argument.value.visit(self)
