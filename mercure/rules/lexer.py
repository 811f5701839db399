r"""From the text of a rule to its tokens.

Our own, and not Python's: the older ``@Keyword@`` must be known from an ``@`` inside a text, columns are in characters
(``ast`` counts bytes), and a pattern such as ``"\d+"`` must not raise a SyntaxWarning (``docs/decisions/0020``).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal, Never

from mercure.rules.errors import Code, RuleError, TextPlace

MAX_TEXT: Final = 16_384
"""Characters in a rule."""
MAX_TOKENS: Final = 3_000
_MAX_NUMBER: Final = 64

Kind = Literal["text", "number", "name", "tag", "operator", "end"]


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `value` is what a literal means, `source` how it was written."""

    kind: Kind
    source: str
    start: int
    end: int
    value: str | int | float = ""


_TOKEN: Final = re.compile(
    r"""
    (?P<space> (?: [ \t\r\n\f] | \\\r?\n | \#[^\n]* )+ )
  | (?P<text> (?P<prefix> (?: [rRuUbBfF] | [rR][bBfF] | [bBfF][rR] )? ) (?P<quote> \"{3} | '{3} | " | ' ) )
  | (?P<number> (?: 0[xXoObB][0-9A-Za-z_]* | (?: [0-9][0-9_]* \.? [0-9_]* | \.[0-9][0-9_]* ) (?: [eE][+-]?[0-9_]+ )? ) )
  | (?P<name> [A-Za-z_][A-Za-z0-9_]* )
  | (?P<tag> @ [^@"'\n]{1,80} @ )
  | (?P<operator> \*\* | // | === | == | != | <= | >= | <> | && | \|\| | := | << | >> | ->
                | [-+*/%|&^~()\[\]{},.:<>=!;?$`@\\] )
    """,
    re.VERBOSE,
)

_INSTEAD: Final = {
    "===": "to compare, write ==",
    "<>": "write !=",
    "&&": "write and",
    "||": "write or",
    "!": "write not",
    "@": "the older spelling of a tag is @Keyword@; the newer one is tags.Keyword",
    ":=": "a rule is one expression and sets no names",
    ";": "a rule is one expression",
}
_QUOTES: Final = dict.fromkeys("\u201c\u201d\u201e\u201f\xab\xbb", '"') | dict.fromkeys(
    "\u2018\u2019\u201a\u201b\u2032\xb4", "'"
)
_BODY: Final = {
    '"': re.compile(r'(?:[^"\\\n]|\\.)*', re.DOTALL),
    "'": re.compile(r"(?:[^'\\\n]|\\.)*", re.DOTALL),
    '"""': re.compile(r'(?:[^"\\]|\\.|"(?!""))*', re.DOTALL),
    "'''": re.compile(r"(?:[^'\\]|\\.|'(?!''))*", re.DOTALL),
}
_SIMPLE_ESCAPES: Final = {
    "\\": "\\", "'": "'", '"': '"', "n": "\n", "r": "\r", "t": "\t",
    "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\n": "",
}  # fmt: skip
_ESCAPE: Final = re.compile(
    r"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|N\{([^}]{1,100})\}|([\\'\"nrtabfv\n]))"
)


def tokens(text: str) -> list[Token]:
    """Divide a rule into tokens.

    Parameters
    ----------
    text : str
        The rule; anything is allowed.

    Returns
    -------
    list of Token
        The last one has kind ``end``.

    Raises
    ------
    RuleError
        The text is too long, or holds something that is no token.
    """
    if len(text) > MAX_TEXT:
        _fail(
            "limit",
            TextPlace(text[: MAX_TEXT * 2], 0, MAX_TEXT),
            f"a rule has at most {MAX_TEXT:,} characters, this has {len(text):,}",
        )
    found: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            _unexpected(text, position)
        elif match.lastgroup == "space":
            position = match.end()
            continue
        elif match.group("text") is not None:
            found.append(_text_token(text, match))
        else:
            found.append(_plain_token(text, match))
        position = found[-1].end
        if len(found) > MAX_TOKENS:
            _fail("limit", TextPlace(text, position, position), f"a rule has at most {MAX_TOKENS:,} words and signs")
    found.append(Token("end", "", len(text), len(text)))
    return found


def _plain_token(text: str, match: re.Match[str]) -> Token:
    """Make a token of anything but a text."""
    source, start, end = match.group(), match.start(), match.end()
    if match.group("number") is not None:
        return Token("number", source, start, end, _number(text, match))
    if match.group("name") is not None:
        return Token("name", source, start, end)
    if match.group("tag") is not None:
        return Token("tag", source, start, end, source[1:-1])
    if source in _INSTEAD:
        _fail(
            "syntax", TextPlace(text, start, end), f"{source} is not an operator of the rule language", _INSTEAD[source]
        )
    return Token("operator", source, start, end)


def _number(text: str, match: re.Match[str]) -> int | float:
    source, start, end = match.group(), match.start(), match.end()
    following = text[end : end + 1]
    if len(source) > _MAX_NUMBER:
        _fail("limit", TextPlace(text, start, end), f"a number has at most {_MAX_NUMBER} characters")
    try:
        if following.isalnum() or following == "_":
            raise ValueError(source)
        return int(source, 0) if _is_whole(source) else float(source)
    except ValueError:
        advice = "a name cannot begin with a digit, and a whole number not with a 0; texts stand in quotes"
        return _fail("syntax", TextPlace(text, start, end), f"{source}{following} is not a number", advice)


def _is_whole(source: str) -> bool:
    return source[:2].lower() in {"0x", "0o", "0b"} or not set(source) & set(".eE")


def _text_token(text: str, match: re.Match[str]) -> Token:
    """Read a text in quotes from its opening on."""
    prefix, quote, start = match.group("prefix").lower(), match.group("quote"), match.start()
    if "f" in prefix:
        _fail(
            "refused",
            TextPlace(text, start, match.end()),
            "f-texts are not part of the rule language",
            "join texts with +",
        )
    if prefix not in {"", "r", "u"}:
        _fail("refused", TextPlace(text, start, match.end()), f"texts with {prefix}… are not part of the rule language")
    body = _BODY[quote].match(text, match.end())
    end = match.end() if body is None else body.end()
    if not text.startswith(quote, end):
        _fail("syntax", TextPlace(text, start, match.end()), "this text has no end", f"close it with {quote}")
    stop = end + len(quote)
    raw = text[match.end() : end]
    value = raw if prefix == "r" else _unescape(text, match.end(), raw)
    return Token("text", text[start:stop], start, stop, unicodedata.normalize("NFC", value))


def _unescape(text: str, offset: int, raw: str) -> str:
    r"""Replace escapes as Python does; an unknown one stays as it is, so ``"\d"`` is a usable pattern."""

    def replace(match: re.Match[str]) -> str:
        octal, hex2, hex4, hex8, name, simple = match.groups()
        if simple is not None:
            return _SIMPLE_ESCAPES[simple]
        try:
            if name is not None:
                return unicodedata.lookup(name)
            return chr(int(octal, 8) if octal else int(hex2 or hex4 or hex8, 16))
        except (KeyError, ValueError, OverflowError):
            start = offset + match.start()
            return _fail("syntax", TextPlace(text, start, start + len(match.group())), "there is no such character")

    return _ESCAPE.sub(replace, raw)


def _unexpected(text: str, position: int) -> Never:
    char = text[position]
    advice = f"write a plain {_QUOTES[char]}" if char in _QUOTES else "outside of quotes a rule is plain ASCII"
    name = unicodedata.name(char, f"number {ord(char)}").lower()
    _fail("syntax", TextPlace(text, position, position + 1), f"unexpected character ({name})", advice)


def _fail(code: Code, place: TextPlace, message: str, advice: str = "") -> Never:
    raise RuleError(code, message, advice, place)
