"""No two files of a crate import each other, directly or round in a circle."""

import re

from run import ROOT, check, expect

TESTS = r"#\[cfg\((?:all\()?test\b[^\n]*\]\s*(?:use [^;]*;|(?:#\[[^\n]*\s*)*mod \w+ \{.*)"
OTHER = re.compile(rf"//[^\n]*|'.'|\"(?:\\.|[^\"\\])*\"|{TESTS}", re.DOTALL)


def spread(tree):
    """The paths of `a::{b, c::{d}}`."""
    while inner := re.search(r"([\w:]*)\{([^{}]*)\}", tree):
        paths = ", ".join(inner[1] + part.strip() for part in inner[2].split(",") if part.strip())
        tree = tree[: inner.start()] + paths + tree[inner.end() :]
    return [path.split(" as ")[0].strip().split("::") for path in tree.split(",")]


def module(importer, path, files):
    """The file that a path in this one leads to, if it is one of ours."""
    supers = len(path) - len([part for part in path if part != "super"])
    base = {"crate": (), "self": importer, "super": importer[: len(importer) - supers]}.get(path[0], importer)
    rest = path[max(supers, path[0] in ("crate", "self")) :]
    is_ours = rest != path or (*importer, path[0]) in files
    ends = ((*base, *rest[:end]) for end in range(len(rest), -1, -1))
    return next((end for end in ends if end in files), None) if is_ours else None


def in_circles(crate):
    files, imports = {}, {}
    for file in crate.glob("src/**/*.rs"):
        *folders, name = file.relative_to(crate / "src").with_suffix("").parts
        files[(*folders, name) if name not in ("lib", "main") else ()] = OTHER.sub("", file.read_text())
    for name, code in files.items():
        paths = [path for tree in re.findall(r"\buse\s+([^;]+);", code) for path in spread(tree)]
        paths += [path.split("::") for path in re.findall(r"\b(?:crate|super|self)(?:::\w+)+", code)]
        imports[name] = {module(name, path, files) for path in paths} - {name, None}
    for middle in files:
        for reached in imports.values():
            reached |= imports[middle] if middle in reached else set()
    return sorted("::".join(name) or "lib" for name, reached in imports.items() if name in reached)


def every_crate():
    for crate in sorted((ROOT / "crates").iterdir()):
        check(f"{crate.name}: no circle of imports", lambda: expect(in_circles(crate), []))
