"""The pages for people.

Their Rust blocks are code that compiles: the file that the comment above names, which a page does not show
(`<!-- code: docs/examples/examples/first.rs -->`), or lines of it that stand together. A Korean page has the code,
the headings, the tables with their numbers and the pictures of the English one. Pictures are there, and light.
"""

import datetime
import re
import shlex
import textwrap

from run import ROOT, check, expect, must

# The Rust blocks of README.md and docs/coming-from.md are compiled as tests of docs/examples.
PAGES = ["docs/cookbook.md", "docs/cookbook.ko.md", "docs/ui.md"]
CLAIMS = ROOT / "docs/claims.md"
PAIRS = [("README.md", "README.ko.md"), ("docs/cookbook.md", "docs/cookbook.ko.md")]
PICTURE_SIZE_MAX = 60_000
BLOCK = re.compile(r"(?:^<!-- code: (\S+) -->\n\n*)?^```(.*)\n((?:.*\n)*?)^```$", re.MULTILINE)


def holds(path, code):
    r"""Whether the code stands in the file, all of it indented by as much more.

    >>> holds("xtask/checks/docs.py", "source = (ROOT / path).read_text()\n")
    >>> holds("xtask/checks/docs.py", "import re\nfrom run import\n")
    Traceback (most recent call last):
    AssertionError: xtask/checks/docs.py has no such lines: import re
    """
    source = (ROOT / path).read_text()
    first = re.search(r"\S.*", code)[0]
    indents = re.findall(rf"^( *){re.escape(first)}$", source, re.MULTILINE)
    if not any(f"\n{textwrap.indent(code, indent)}" in f"\n{source}" for indent in indents):
        raise AssertionError(f"{path} has no such lines: {first}")


def shape(page):
    r"""What a translation keeps.

    >>> page = "# A\n\n![a](b.png)\n| 1,034, or 2. |\n| --- |\n\n<!-- code: a.rs -->\n```rust\n# no\n| no |\n```\n## B\n"
    >>> BLOCK.findall(page), list(shape(page).values())[1:]
    ([('a.rs', 'rust', '# no\n| no |\n')], [[1, 2], [2], [['1,034', '2'], []], ['b.png']])
    >>> [part for part in shape(page) if shape(page)[part] != shape(page.replace("034", "033"))[part]]
    ['numbers in tables']
    """
    text = BLOCK.sub("", page)
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    numbers = lambda row: sorted({word.strip(",.") for word in re.findall(r"[\d.,]+", row)} - {""})
    return {
        "blocks": [(language, code) for _, language, code in BLOCK.findall(page)],
        "heading levels": [len(level) for level in re.findall(r"^(#+) ", text, re.MULTILINE)],
        "rows of tables": [table.count("\n") for table in tables],
        "numbers in tables": [numbers(row) for table in tables for row in table.splitlines()],
        "pictures": re.findall(r"!\[[^]]*\]\(([^)]*)\)", text),
    }


def figures(wanted, output):
    """What is printed now where the parts of a figure were.

    >>> figures("9 passed; 1,002 of 3", "2 passed; 0 failed\\n10 passed; 0 failed\\n99.5 of 4.")
    '10 passed; 99.5 of 4'
    """
    pattern = lambda part: r"[\d,.]*\d".join(map(re.escape, re.split(r"[\d,.]*\d", part)))
    return "; ".join(re.findall(pattern(part), output)[-1] for part in wanted.split("; "))


def claims(word=""):
    """Runs the commands of the claims in whose line the word is, and writes what they print and the date of today."""
    for line in [line for line in CLAIMS.read_text().splitlines() if "| `cargo" in line and word in line]:
        claim, command, figure, _ = line.strip("| ").split(" | ")
        output = must(*shlex.split(command.strip("`")))
        if re.search(r"\d", figure):
            figure = figures(figure, output)
        new = f"| {claim} | {command} | {figure} | {datetime.date.today()} |"
        CLAIMS.write_text(CLAIMS.read_text().replace(line, new))
        print(f"  {figure}: {command}", flush=True)


def pages():
    for page in PAGES:
        for block in BLOCK.finditer((ROOT / page).read_text()):
            path, language, code = block.groups()
            if language.split(",")[0] == "rust":
                check(f"{page}: {code.splitlines()[0]}", holds, path, code)
    for english, korean in PAIRS:
        wanted, got = shape((ROOT / english).read_text()), shape((ROOT / korean).read_text())
        for part in wanted:
            check(f"{korean}: its {part}", expect, got[part], wanted[part])
        for picture in wanted["pictures"]:
            size = (ROOT / english).parent.joinpath(picture).stat().st_size
            limit = PICTURE_SIZE_MAX * (10 if picture.endswith(".gif") else 1)
            check(f"{english}: {picture} is light", expect, size <= limit, True)
