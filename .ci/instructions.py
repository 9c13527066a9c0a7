"""Counts the instructions of six operations under callgrind and compares them with the accepted counts.

usage: instructions.py CHATVAULT DEMO [--accept]

CHATVAULT is the development build, DEMO the archive that `chatvault demo` made: its messages have a fixed
seed. More than 5 % above the count in `.ci/instructions.json` fails; what is intended is accepted with
`--accept`, which writes the counts of now. Less is told, too: accept it, or it hides the next loss. The
counts are those of a processor with AVX2, and of the pinned toolchain.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

KEPT = pathlib.Path(__file__).with_suffix(".json")
MOST = 1.05


def count(command, work):
    """The instructions of a command, in all of its threads."""
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    done = subprocess.run(valgrind + command, cwd=work, capture_output=True, text=True)
    # 3: done, but something could not be had. The demo's files are nowhere.
    if done.returncode not in (0, 3):
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))


def operations(chatvault, demo, work):
    """Each operation by name, in an order in which the second import finds what the first stored."""

    def run(*words):
        return subprocess.run([chatvault, *words], cwd=work, check=True, capture_output=True).stdout

    (work / "pages.jsonl").write_bytes(run("query", demo, "--versions", "all", "--limit", "1000"))
    chats = json.loads(run("chats", demo, "--json"))["conversations"]
    chat = max(chats, key=lambda one: (one["messages"], one["id"]))["id"]
    run("init", "new.cvault")
    pages = ["new.cvault", "pages.jsonl", "--custodian", "ann", "--threads", "1", "-q"]
    export = [demo, "--all", "--text-only", "--threads", "1", "--at", "2026-01-01", "-q", "--chat", chat]
    return {
        "import": ["import", *pages],
        "import again": ["import", *pages],
        "scan": ["query", demo],
        "one conversation": ["query", demo, "--chat", chat],
        "export csv": ["export", *export, "--format", "csv", "--out", "csv"],
        "export jsonl": ["export", *export, "--format", "jsonl", "--out", "jsonl"],
    }


def main():
    chatvault, demo = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        counts = {
            name: count([chatvault, *words], work)
            for name, words in operations(chatvault, demo, work).items()
        }
    if "--accept" in sys.argv:
        KEPT.write_text(json.dumps(counts, indent=2) + "\n")
    kept = json.loads(KEPT.read_text())
    for name, now in counts.items():
        print(f"{name:18}{now:>16,}  {100 * (now / kept[name] - 1):+.1f} %")
    worse = [name for name, now in counts.items() if now > kept[name] * MOST]
    if worse:
        again = "python3 .ci/instructions.py target/debug/chatvault demo.cvault --accept"
        sys.exit(f"{', '.join(worse)}: more instructions than accepted. If that is meant: {again}")


main()
