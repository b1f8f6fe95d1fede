"""Damage to files, the same for the same seed: bits, cuts, insertions; in JSON also values and names."""

import json
import random
from pathlib import Path
from typing import Any

_NUMBERS = (0, 1, -1, 2, 10**6, 10**12, 2**63, -(2**63), 10**30, 0.5, 1e308, float("inf"), float("nan"))
_VALUES = (None, True, False, "", "x", [], {}, [None], {"a": 1}, [[[]]], *_NUMBERS)
_OCTETS = (
    b"\0",
    b"\xff",
    b"\xff\xff\xff\x7f",
    b"\n",
    b'"',
    b",",
    b"{",
    b"[" * 3000,
    b"9" * 400,
    b"\xef\xbb\xbf",
)


def damage(folder: Path, chance: random.Random) -> str:
    """Damage one file of a folder, or lose one; says which one and how."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = chance.choice(files)
    octets, name = path.read_bytes(), path.relative_to(folder).as_posix()
    if chance.random() < 0.03:
        path.unlink()
        return f"{name}: lost"
    if path.suffix in (".json", ".jsonl", ".index.json") and chance.random() < 0.8:
        changed = _json(octets, chance)
        if changed is not None:
            path.write_bytes(changed[0])
            return f"{name}: {changed[1]}"
    changed, how = _octets(octets, chance)
    path.write_bytes(changed)
    return f"{name}: {how}"


def _octets(octets: bytes, chance: random.Random) -> tuple[bytes, str]:
    found = bytearray(octets)
    # Headers are where sizes stand: half of the damage falls into the first 300 bytes.
    at = chance.randrange(max(1, len(found) if chance.random() < 0.5 else min(300, len(found))))
    kind = chance.choice(("flip", "flip", "set", "cut", "insert", "drop", "twice", "empty"))
    if kind == "flip" and found:
        for _ in range(chance.choice((1, 1, 3, 20))):
            place = chance.randrange(len(found)) if _ else min(at, len(found) - 1)
            found[place] ^= 1 << chance.randrange(8)
    elif kind == "set":
        found[at : at + 4] = chance.choice(
            (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\1\0\0\0")
        )
    elif kind == "cut":
        del found[at:]
    elif kind == "insert":
        found[at:at] = chance.choice(_OCTETS)
    elif kind == "drop":
        del found[at : at + chance.choice((1, 2, 8, 100))]
    elif kind == "twice":
        found[at:at] = found[at : at + 200]
    elif kind == "empty" and chance.random() < 0.3:
        found.clear()
    return bytes(found), f"{kind} at {at}"


def _json(octets: bytes, chance: random.Random) -> tuple[bytes, str] | None:
    """A JSON file with one value changed, moved or lost; the same number of lines for lines of JSON."""
    lines = octets.splitlines()
    try:
        whole: Any = json.loads(octets)
    except ValueError:
        try:
            whole = [json.loads(line) for line in lines]
        except ValueError:
            return None
    of_lines = not _is_json(octets)
    places = list(_places(whole))
    if not places:
        return None
    holder, key = chance.choice(places)
    how = chance.choice(("value", "value", "number", "lose", "swap", "wrap", "rename", "deep"))
    old = holder[key]
    if how == "value":
        holder[key] = chance.choice(_VALUES)
    elif how == "number":
        holder[key] = chance.choice(_NUMBERS)
    elif how == "lose":
        del holder[key]
    elif how == "swap":
        other, place = chance.choice(places)
        if place in (other if isinstance(other, dict) else range(len(other))):
            holder[key] = json.loads(json.dumps(other[place]))
    elif how == "wrap":
        holder[key] = [old]
    elif how == "rename" and isinstance(holder, dict):
        holder[f"{key}x"] = holder.pop(key)
    elif how == "deep":
        holder[key] = "DEEP"
    if of_lines and isinstance(whole, list):
        text = "\n".join(json.dumps(line) for line in whole) + "\n"
    else:
        text = json.dumps(whole)
    text = text.replace('"DEEP"', "[" * 20_000 + "]" * 20_000)
    return text.encode(), f"{how} of {key}, which was {str(old)[:60]}"


def _is_json(octets: bytes) -> bool:
    try:
        json.loads(octets)
    except ValueError:
        return False
    return True


def _places(value: Any):
    """(holder, key) of every value within, but for those of long lists, of which some."""
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))[:20]
    else:
        return
    for key, inner in pairs:
        yield value, key
        yield from _places(inner)
