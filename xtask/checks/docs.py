"""The pages for people.

Their Rust blocks are code that compiles: the file that the comment above names, which a page does not show
(`<!-- code: docs/examples/examples/first.rs -->`), or lines of it that stand together. A Korean page has the code,
the headings, the tables with their numbers and the pictures of the English one. Pictures are there, and light.
"""

import re
import textwrap

from run import ROOT, check, expect

# The Rust blocks of README.md and docs/coming-from.md are compiled as tests of docs/examples.
PAGES = ["docs/cookbook.md", "docs/cookbook.ko.md", "docs/ui.md"]
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
            size = lambda: (ROOT / english).parent.joinpath(picture).stat().st_size
            check(f"{english}: {picture} is light", lambda: expect(size() <= PICTURE_SIZE_MAX, True))
