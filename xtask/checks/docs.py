"""The claims of docs/claims.md, run; what else the pages for people hold is tested in talkback-conformance (pages.rs)."""

import datetime
import re
import shlex

from run import ROOT, must

CLAIMS = ROOT / "docs/claims.md"


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
