"""Configuration errors as one line each: file, key, value found, what is allowed, nearest key."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError

_Model = TypeVar("_Model", bound=BaseModel)


KeyPath = tuple[str | int, ...]  # of a key
TAG_ERRORS = ("union_tag_invalid", "union_tag_not_found")
TAGS = ("vit_conv_stem", "vit", "cnn", "timm")  # in paths of an encoder's problems


class ConfigError(ValueError):
    """One or more configuration problems, one line each.

    Attributes:
        lines: of the problems.
        paths: of the keys that are wrong by themselves, where these are known.
    """

    def __init__(self, lines: Sequence[str], paths: Sequence[KeyPath] = ()) -> None:
        self.lines, self.paths = list(lines), list(paths)
        super().__init__("\n".join(self.lines))


def dotted(path: Sequence[str | int]) -> str:
    """Key path as a reader writes it: ``classifier.seeds[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else str(part))
    return text


def _lookup(tree: Any, path: Sequence[str | int]) -> tuple[bool, Any]:
    for part in path:
        if not _holds(tree, part):
            return False, None
        tree = tree[part]
    return True, tree


def _is_prior(value: Mapping[str, Any], kind: str) -> bool:
    """Whether a mapping stands for one value, so that it is shown as one."""
    return kind.endswith("prior") or not {"dist", "shape"}.isdisjoint(value)


def _holds(tree: Any, part: str | int) -> bool:
    if isinstance(tree, Mapping):
        return part in tree
    return isinstance(tree, list) and isinstance(part, int) and part < len(tree)


def _union_tags(annotation: Any) -> set[str]:
    """Tags that pydantic puts into an error's path for the member of a union that it tried.

    They are the ``Tag`` of a member, or the one value that its discriminator key may have.
    """
    if get_origin(annotation) is Literal:
        values = get_args(annotation)
        return set(values) if len(values) == 1 else set()
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        inner = [field.annotation for field in annotation.model_fields.values()]
    else:
        inner = get_args(annotation)
    tags = {m.tag for m in getattr(annotation, "__metadata__", ()) if isinstance(m, Tag)}
    return tags.union(*map(_union_tags, inner))


def _real_path(tree: Any, path: Sequence[str | int], tags: set[str]) -> list[str | int]:
    """Drop union tags: parts that are a tag and that the configuration tree does not hold."""
    kept: list[str | int] = []
    for part in path:
        found, _ = _lookup(tree, [*kept, part])
        if found or part not in tags:
            kept.append(part)
    return kept


def _known_keys(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """Keys allowed in the section at ``path`` (walks nested models, lists, dicts and unions)."""
    candidates: list[Any] = [model]
    for part in path:
        following: list[Any] = []
        for candidate in candidates:
            for option in _models_in(candidate):
                if isinstance(part, str) and part in option.model_fields:
                    following.append(option.model_fields[part].annotation)
            if not _models_in(candidate) or _is_container(candidate):
                following.append(candidate)
        candidates = following
    return sorted({key for c in candidates for m in _models_in(c) for key in m.model_fields})


def _is_container(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) in (list, dict)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for arg in get_args(annotation) for m in _models_in(arg)]


class Origins:
    """Files that a configuration was merged from, to say where a key stands."""

    def __init__(self, files: Mapping[str, Any]) -> None:
        """Remember the files.

        Args:
            files: name -> parsed content, in the order in which they were merged.
        """
        self.files = files

    def file_of(self, path: Sequence[str | int]) -> str:
        """The last file that holds a key, or the deepest part of it that any file holds."""
        for depth in range(len(path), 0, -1):
            for name, tree in reversed(list(self.files.items())):
                if _lookup(tree, path[:depth])[0]:
                    return name
        return next(reversed(list(self.files)), "configuration")

    def chosen(self, *path: str) -> bool:
        """Whether anyone but the default configuration, which is the first file, holds a key."""
        others = list(self.files.values())[1:] if len(self.files) > 1 else self.files.values()
        return any(_lookup(tree, path)[0] for tree in others)

    def line(self, key: str, problem: str, *, value: object = None, at: str | None = None) -> str:
        """One line about a key: ``file: key = value: problem``.

        Args:
            key: as a reader writes it, ``adaptation.pairs[0].source``.
            problem: what is wrong and what is allowed.
            value: what was found; left out if it is None.
            at: key whose file is named, where ``key`` itself stands in none.
        """
        path = [part.partition("[")[0] for part in (at or key).split(".")]
        shown = "" if value is None else f" = {_show(value)}"
        return f"{self.file_of(path)}: {key}{shown}: {problem}"


def nearest(name: str, known: Iterable[str]) -> str:
    """What a reader may have meant: the nearest name, or all of them."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known are {', '.join(sorted(known))}"


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _wrong_key(error: Mapping[str, Any]) -> str | None:
    """Key of the section that is complained of, where the whole section is not to blame."""
    context = error.get("ctx", {})
    if error["type"] in TAG_ERRORS and "'" in context.get("discriminator", ""):
        return context["discriminator"].strip("'")
    return getattr(context.get("error"), "key", None)


def rule_of(error: Mapping[str, Any], keys: Sequence[str] = ()) -> str:
    """What is allowed, of one problem of pydantic's.

    Args:
        error: an item of ``ValidationError.errors()``.
        keys: allowed where the key stands.
    """
    kind, message = error["type"], error["msg"]
    if kind == "union_tag_invalid":
        return f"should be {' or '.join(error['ctx']['expected_tags'].rsplit(', ', 1))}"
    problem = getattr(error.get("ctx", {}).get("error"), "problem", None)
    if problem is not None:
        return problem
    if kind == "extra_forbidden":
        key = str(error["loc"][-1])
        near = difflib.get_close_matches(key, keys, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"allowed are {', '.join(keys)}"
        return f"unknown key; {hint}"
    if kind in ("missing", "union_tag_not_found"):
        return "required key is missing"
    if kind in ("float_type", "int_type") and isinstance(error["input"], str):
        return _text_for_number(error["input"], whole=kind == "int_type")
    return message.removeprefix("Value error, ").removeprefix("Input ").replace("\n", " ")


def _text_for_number(text: str, *, whole: bool) -> str:
    try:
        value = float(text)
    except ValueError:
        return "should be a number"
    if whole:
        return f"is text, not a whole number: write {value:.0f} without quotes"
    if "e" in text.lower() and "." not in text:
        mantissa, _, exponent = text.lower().partition("e")
        return f"is text, not a number: write {mantissa}.0e{exponent} without quotes"
    return f"is text, not a number: write {value:g} without quotes"


def lines_from(
    error: ValidationError,
    *,
    tree: Mapping[str, Any],
    model: type[BaseModel],
    origins: Origins,
) -> dict[KeyPath, str]:
    """One line per problem of a pydantic error, by the path of its key.

    Args:
        error: what validation raised.
        tree: the merged configuration that was validated.
        model: the schema of ``tree``.
        origins: files that ``tree`` was merged from.
    """
    lines: dict[KeyPath, str] = {}
    tags = _union_tags(model)
    for item in error.errors():
        path = _real_path(tree, item["loc"], tags)
        wrong_key = _wrong_key(item)
        file = origins.file_of(path or [wrong_key or ""])  # of a section, that changed it last
        path += [wrong_key] if wrong_key else []
        where = f"{file}: {dotted(path) or 'top level'}"
        found, value = _lookup(tree, path)
        section = isinstance(value, Mapping) and not _is_prior(value, item["type"])
        shown = f" = {_show(value)}" if found and not section else ""
        rule = rule_of(item, _known_keys(model, path[:-1]))
        # A union reports each member's complaint about the same key: the first is enough.
        lines.setdefault(tuple(path), f"{where}{shown}: {rule}")
    return lines


def lines_of_changes(
    error: ValidationError, where: str, origins: Origins, keys: Sequence[str] = ()
) -> list[str]:
    """One line per problem of a section that the configuration changes elsewhere.

    Args:
        error: what validation of the changed section raised.
        where: key under which the changes stand.
        origins: files of the configuration.
        keys: allowed in the changed section.
    """
    lines = []
    for item in error.errors():
        path = [part for part in item["loc"] if part not in TAGS]
        wrong_key = _wrong_key(item)
        key = dotted([where, *path, *([wrong_key] if wrong_key else [])])
        found = item["input"]
        if wrong_key and isinstance(found, Mapping):
            found = found.get(wrong_key)
        value = None if isinstance(found, Mapping | BaseModel) else found
        lines.append(origins.line(key, rule_of(item, keys), value=value))
    return lines


def validated(model: type[_Model], tree: Mapping[str, Any], origins: Origins) -> _Model:
    """A section of a configuration as a typed object.

    Args:
        model: of the section.
        tree: plain data.
        origins: files that ``tree`` was merged from.

    Raises:
        ConfigError: one line per problem.
    """
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        lines = lines_from(error, tree=tree, model=model, origins=origins)
        raise ConfigError(list(lines.values()), list(lines)) from None
