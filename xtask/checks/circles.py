"""No two files of a crate import each other, directly or round in a circle."""

import re

from run import ROOT, check, expect

TESTS = r"#\[cfg\((?:all\()?test\b[^\n]*\]\s*(?:use [^;]*;|(?:#\[[^\n]*\s*)*mod \w+ \{.*)"
OTHER = [r"//[^\n]*", r"'.'", r'"(?:\\.|[^"\\])*"', TESTS]


def spread(tree):
    """The paths of `a::{b, c::{d}}`."""
    while inner := re.search(r"([\w:]*)\{([^{}]*)\}", tree):
        paths = ", ".join(inner[1] + part.strip() for part in inner[2].split(",") if part.strip())
        tree = tree[: inner.start()] + paths + tree[inner.end() :]
    return [path.split(" as ")[0].strip() for path in tree.split(",")]


def module(importer, path, files):
    """The file that a path from this one leads to."""
    first, *rest = path.split("::")
    base = {"crate": (), "self": importer, "super": importer[:-1]}.get(first, importer)
    while rest and rest[0] == "super":
        base, rest = base[:-1], rest[1:]
    whole = (*base, *rest) if first in ("crate", "self", "super") else (*importer, first, *rest)
    is_ours = first in ("crate", "self", "super") or (*importer, first) in files
    return next((whole[:end] for end in range(len(whole), -1, -1) if whole[:end] in files), None) if is_ours else None


def in_circles(crate):
    files, imports = {}, {}
    for file in crate.glob("src/**/*.rs"):
        *folders, name = file.relative_to(crate / "src").with_suffix("").parts
        files[(*folders, name) if name not in ("lib", "main", "mod") else (*folders,)] = file.read_text()
    for name, code in files.items():
        for other in OTHER:
            code = re.sub(other, "", code, flags=re.DOTALL)
        paths = [path for tree in re.findall(r"\buse\s+([^;]+);", code) for path in spread(tree)]
        paths += re.findall(r"\b(?:crate|super|self)(?:::\w+)+", code)
        imports[name] = {module(name, path, files) for path in paths} - {name, None}
    for middle in files:
        for reached in imports.values():
            reached |= imports[middle] if middle in reached else set()
    return ["::".join(name) or "lib" for name, reached in imports.items() if name in reached]


def every_crate():
    for crate in sorted((ROOT / "crates").iterdir()):
        check(f"{crate.name}: no circle of imports", lambda: expect(sorted(in_circles(crate)), []))
