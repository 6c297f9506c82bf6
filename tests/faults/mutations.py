"""Seeded mutations: of bytes, of JSON and YAML values, of vocabularies, of files as such.

    data = mutated(random.Random(7), b"text\tlabel\n")        # the same bytes on every machine
    value = altered(random.Random(7), {"grid": {"seed": [1]}})
    special_file(random.Random(7), path)                      # a folder, a pipe, a loop of links

Every function draws from the generator that it is given and from nothing else.
"""

import json
import os
import pathlib
import random
import socket
from collections.abc import Callable
from typing import Any

SPECIAL_TEXTS = (
    "\0", "\ufeff", "\r", "\r\n", "\n", "\n\n", "\t", "\t\t\t", "\x0c", "\x0b", "\x1c", "\x1e",
    "\x85", "\u2028", "\u2029", "\xa0", "\u200b", "\u202e", "\ufffd", "\ufffe", "\U0001f600",
    "e\u0301", "\u03a3", '"', '""', "'", ",", ";", "|", "\\", "\\n", "\\ud800", "[CLS]", "[SEP]",
    "[PAD]", "##s", "#", "nan", "NaN", "-Infinity", "1e999", "-1", "0", "1_0", "9" * 30, "9" * 5000,
    "0x10", "٣", "true", "null", "~", "x" * 500, "{", "}", "[", "]", ":", "*", "&a", "!!int", "- ",
    "? ", "%", "@", "\x01", "\x02", "\x1b[2J")
SPECIAL_BYTES = (b"\xff", b"\xfe", b"\x80", b"\xc3", b"\xe9", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
                 b"\xc0\x80", b"\xef\xbb\xbf", b"\xff\xfe", b"\x1f\x8b\x08", b"PK\x03\x04")
ENCODINGS = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "latin-1", "cp1252",
             "cp037", "gb18030", "shift_jis", "utf-7")


def _place(draw: random.Random, data: bytes) -> int:
    return draw.randrange(len(data) + 1)


def _flip(draw: random.Random, data: bytes) -> bytes:
    """Changes some bytes."""
    changed = bytearray(data)
    for _ in range(draw.randint(1, 8) if data else 0):
        changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _delete(draw: random.Random, data: bytes) -> bytes:
    at = _place(draw, data)
    return data[:at] + data[at + draw.choice((1, 1, 2, 10, 100)):]


def _insert(draw: random.Random, data: bytes) -> bytes:
    at = _place(draw, data)
    new = draw.choice((*(text.encode() for text in SPECIAL_TEXTS), *SPECIAL_BYTES))
    return data[:at] + new * draw.choice((1, 1, 1, 2, 50)) + data[at:]


def _replace_word(draw: random.Random, data: bytes) -> bytes:
    """Puts something special in place of a cell, a value or a word."""
    separator = draw.choice((b"\t", b"\n", b",", b" ", b":", b'"'))
    parts = data.split(separator)
    parts[draw.randrange(len(parts))] = draw.choice(
        (*(text.encode() for text in SPECIAL_TEXTS), *SPECIAL_BYTES, b""))
    return separator.join(parts)


def _truncate(draw: random.Random, data: bytes) -> bytes:
    return data[:_place(draw, data)]


def _lines(draw: random.Random, data: bytes) -> bytes:
    """Doubles, drops, blanks, moves or mixes lines."""
    lines = data.split(b"\n")
    at, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    how = draw.randrange(6)
    if how == 0:
        lines.insert(at, lines[other])
    elif how == 1:
        del lines[at]
    elif how == 2:
        lines.insert(at, draw.choice((b"", b" ", b"\t", b"\r", b"\xc2\xa0", b"#", b"\0")))
    elif how == 3:
        lines[at], lines[other] = lines[other], lines[at]
    elif how == 4:
        draw.shuffle(lines)
    else:
        lines[at] = lines[at] + lines[other]
    return b"\n".join(lines)


def _separators(draw: random.Random, data: bytes) -> bytes:
    """Puts other separators, quotes or line ends in place of those that stand there."""
    old, new = draw.choice(((b"\t", b","), (b",", b"\t"), (b"\t", b";"), (b",", b";"),
                            (b"\t", b" "), (b"\n", b"\r\n"), (b"\n", b"\r"), (b"\n", b"\n\n"),
                            (b'"', b"'"), (b"'", b'"'), (b'"', b""), (b" ", b'"'), (b":", b"="),
                            (b"\n", b"\0"),
                            (b"\n", "\u2028".encode()), (b"\n", "\x85".encode()), (b"\n", b"\x0c")))
    return data.replace(old, new, draw.choice((-1, 1, 3)))


def _encoding(draw: random.Random, data: bytes) -> bytes:
    return data.decode("utf-8", "replace").encode(draw.choice(ENCODINGS), "replace")


def _huge(draw: random.Random, data: bytes) -> bytes:
    """A field, a line or a number that is far too long, or far too many of them."""
    at = _place(draw, data)
    new = draw.choice((b"x" * 200_000, b"word " * 40_000, b"\t" * 5_000, b"," * 5_000,
                       b"7" * 5_000, b"\n" * 3_000, b'"' * 4_001, b"[" * 100_000,
                       b'{"a":' * 50_000, b"a\n" * 20_000, b"- " * 2_000))
    return data[:at] + new + data[at:]


def _whole(draw: random.Random, data: bytes) -> bytes:
    """Something else altogether."""
    return draw.choice((b"", b"\n", b"\0", b"\xef\xbb\xbf", data * 2, data[::-1], b"null",
                        b"[]", b"{}", b'""',
                        b"0", b"[[]]", b"[{}]", b'{"": ""}', b"\x1f\x8b\x08\x00" + data,
                        data.upper(), b"<html></html>", draw.randbytes(draw.choice((1, 10, 1000))),
                        data.rstrip(b"\n"), data.partition(b"\n")[2], data.partition(b"\n")[0],
                        b"\xef\xbb\xbf" + data, b" " + data))


BYTES: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _flip, _delete, _insert, _insert, _replace_word, _replace_word, _truncate, _lines, _lines,
    _separators, _encoding, _huge, _whole)


def mutated(draw: random.Random, data: bytes) -> bytes:
    """Returns the bytes after one to three mutations."""
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        data = draw.choice(BYTES)(draw, data)
    return data


ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 3, 1.5, -0.0, 1e308, -1e308, 5e-324, float("nan"), float("inf"),
    10**9, 2**31, 2**63, 10**30, "", " ", "0", "-1", "1e999", "nan", "None", "true", "x", "é",
    "\0", "a\0b", "\ud800", "\u2028", "a\nb", "a,b", 'a"b', "--do_train", "[]", "x" * 70_000,
    "9" * 5000, "/", "/dev/null", "..", "*", "foo://bar/baz", [], [[]], [None], [True], [1, "a"],
    ["a", "a"], [""], {}, {"a": 1}, {"": None}, [{}], {"a": {"b": []}}, list(range(3000)))


def odd_value(draw: random.Random) -> Any:
    """Returns a value that nobody expects."""
    return draw.choice(ODD_VALUES)


def altered(draw: random.Random, value: Any) -> Any:
    """Returns a JSON value with one node changed: another value, a key less, more or renamed."""
    if isinstance(value, dict) and value and draw.random() < 0.85:
        key = draw.choice(list(value))
        how = draw.randrange(8)
        if how < 4:
            return {**value, key: altered(draw, value[key])}
        if how == 4:
            return {name: one for name, one in value.items() if name != key}
        if how == 5:
            name = draw.choice(("", "x", "é", "\ud800", key.upper(), f"{key}x", "labels"))
            return {**value, name: odd_value(draw)}
        return {**value, key: odd_value(draw)}
    if isinstance(value, list) and value and draw.random() < 0.85:
        at = draw.randrange(len(value))
        how = draw.randrange(4)
        new = [altered(draw, value[at])] if how else draw.choice(
            ([], [value[at]] * 2, [value[at]] * 1500))
        return [*value[:at], *new, *value[at + 1:]]
    return odd_value(draw)


def deep(draw: random.Random, depth: int | None = None) -> str:
    """Returns JSON that is nested too deeply for anybody."""
    depth = depth or draw.choice((50, 900, 1100, 100_000))
    opening, closing = draw.choice((("[", "]"), ('{"a":', "}")))
    return opening * depth + "1" + closing * depth


def json_bytes(draw: random.Random, value: Any) -> bytes:
    """Returns a value as JSON, now and then with a key twice, a nest, or broken."""
    text = json.dumps(value, indent=draw.choice((None, 2)), ensure_ascii=draw.random() < 0.7)
    how = draw.randrange(12)
    if how == 0:
        text = text.replace("{", '{"labels": 1, "labels": 2,', 1)
    elif how == 1:
        text = text.replace(draw.choice(("1", "[", '"')), deep(draw), 1)
    elif how == 2:
        text = deep(draw)
    data = text.encode("utf-8", "surrogatepass")
    return mutated(draw, data) if how in (3, 4) else data


BOMB = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}' if i else 'x'] * 9)}]" for i in range(12))
YAML_SNIPPETS = (
    "!!int ''", "!!int x", "!!float ''", "!!float x", "!!bool x", "!!bool ''", "!!timestamp x",
    "!!timestamp ''", "2001-02-30", "2001-01-01T00:00:00+99:99", "!!binary x", "!!binary eA==",
    "!!map [a]", "!!map x", "!!seq {a: 1}", "!!set {a, b}", "!!set [a]", "!!omap [a: 1]",
    "!!omap {a: 1}", "!!pairs [a: 1]", "!!null x", "!!str [a]", "!!merge x", "=", "<<", "&a [*a]",
    "*nowhere", "!!python/object/apply:os.getcwd []", "!<tag:x> y", "! x", "1:60", "-1:60:60",
    "0b2", "0o9", "09", "0x", "._", "+.inf", ".nan", "1e5", "1_0", "@x",
    "`x", "%x", "|\n  x", ">\n x", "'x", '"x', '"\\x"', '"\\ud800"', '"\\0"', "- - - x", "? x",
    "{x", "[x", "{a, b: }", "[a, , b]", "x: y: z", "\tx", "yes", "~", "no")


def yaml_bytes(draw: random.Random, value: dict[str, Any]) -> bytes:
    """Returns a mapping as YAML, with tags, anchors, merges and broken lines among it."""
    lines = [f"{key}: {json.dumps(one, ensure_ascii=False)}" for key, one in value.items()]
    for _ in range(draw.randint(0, 2)):
        at, snippet = draw.randrange(len(lines) + 1), draw.choice(YAML_SNIPPETS)
        key = draw.choice((*value, "x", "<<", "? [a, b]\n", "&k k", "!!int 5", "1", "null", "true"))
        lines.insert(at, draw.choice((f"{key}: {snippet}", snippet, f"{key}: [{snippet}]", "---",
                                      "...", f"{key}: {{{snippet}: 1}}", "%YAML 9.9", "# x",
                                      f"<<: {snippet}")))
    if draw.random() < 0.08:
        lines = [BOMB, *lines, f"{draw.choice(tuple(value) or ('x',))}: *a11"]
    if draw.random() < 0.04:
        lines.append(f"labels: {deep(draw)}")
    data = "\n".join(lines).encode("utf-8", "surrogatepass") + b"\n"
    return mutated(draw, data) if draw.random() < 0.3 else data


def vocabulary_bytes(draw: random.Random, data: bytes) -> bytes:
    """Returns a vocabulary with tokens lost, doubled, respelled or out of place."""
    tokens = data.decode().splitlines()
    special = draw.choice(("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"))
    at = tokens.index(special) if special in tokens else 0
    how = draw.randrange(9)
    if how == 0:
        del tokens[at]
    elif how == 1:
        tokens[at] = draw.choice((special.lower(), f" {special} ", f"{special}\0", "", "the",
                                  special.strip("[]"), f"\ufeff{special}"))
    elif how == 2:
        tokens.insert(draw.randrange(len(tokens)),
                      draw.choice((special, "the", "", " ", "\u2028", "x\x85y")))
    elif how == 3:
        tokens[draw.randrange(len(tokens))] = draw.choice(tokens)
    elif how == 4:
        tokens += draw.choice(([""], ["", ""], ["The"] * 3, ["x" * 300], ["##"], ["a b"]))
    elif how == 5:
        draw.shuffle(tokens)
    elif how == 6:
        tokens = [token.capitalize() for token in tokens]
    if how >= 7:
        return mutated(draw, data)
    return ("\n".join(tokens) + "\n").encode()


def special_file(draw: random.Random, path: pathlib.Path) -> None:
    """Puts something that is no readable file in place of one, or takes it away."""
    if path.is_dir():
        return
    path.unlink(missing_ok=True)
    how = draw.randrange(9)
    if how == 0:
        path.mkdir()
    elif how == 1:
        os.mkfifo(path)
    elif how == 2:
        path.symlink_to(path)
    elif how == 3:
        path.symlink_to("nowhere")
    elif how == 4:
        path.symlink_to("/proc/self/mem")  # a file whose reading fails, for root too
    elif how == 5:
        path.symlink_to(draw.choice(("/dev/null", "/dev/zero")))
    elif how == 6:
        with socket.socket(socket.AF_UNIX) as end:
            folder = os.open(path.parent, os.O_RDONLY)  # a socket's path may have 107 bytes only
            end.bind(f"/proc/self/fd/{folder}/{path.name}")
            os.close(folder)
    elif how == 7:
        path.write_bytes(b"x")
        path.chmod(0)
