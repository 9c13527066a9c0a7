"""Makes an archive of difficult messages, exports it in every format, and reads that with programs of others.

Usage: exports.py PROGRAM FOLDER. Needs unzip, sha256sum, qpdf, pdftotext, pdffonts and jsonschema.
"""

import base64
import csv
import email
import email.policy
import io
import json
import mailbox
import pathlib
import subprocess
import sys
import unicodedata
import zipfile

import jsonschema

PROGRAM = pathlib.Path(sys.argv[1]).resolve()
FOLDER = pathlib.Path(sys.argv[2]).resolve()
HERE = pathlib.Path(__file__).resolve().parent
CHAT = "19:checks@thread.v2"
AT = 1_700_000_000_000
# One word each that a reader must be able to find, in the script's own order of letters.
WORDS = {
    "latin": "déjà naïve Straße",
    "greek": "Καλημέρα κόσμε",
    "cyrillic": "Привет мир",
    "han": "漢字仮名",
    "hangul": "안녕하세요",
    "hebrew": "שלום עולם",
    "arabic": "مرحبا بالعالم",
    "thai": "สวัสดี",
    "devanagari": "नमस्ते",
}
HOSTILE = [
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "a,b;\"c\"\r\nFrom here\n\n.dot",
    "<script>alert(1)</script> & <b>bold</b>",
    "þ ® \u0014 \u0000 tail",
    "x" * 3000,
    "Subject: injected\r\nBcc: someone@example.com",
]


def stamp(ms):
    seconds, rest = divmod(ms, 1000)
    days, second = divmod(seconds, 86400)
    import datetime

    day = datetime.date(1970, 1, 1) + datetime.timedelta(days)
    return f"{day}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.{rest:03}Z"


def message(number, text, **more):
    at = AT + number * 60_000
    name = ["Ann Lee", "Ben, \"the\" Ops", "Zoë Müller"][number % 3]
    body = {"contentType": "text", "content": text}
    base = {
        "@odata.type": "#microsoft.graph.chatMessage",
        "id": str(at),
        "etag": str(at),
        "messageType": "message",
        "createdDateTime": stamp(at),
        "lastModifiedDateTime": stamp(at),
        "lastEditedDateTime": None,
        "deletedDateTime": None,
        "subject": None,
        "chatId": CHAT,
        "importance": "normal",
        "from": {"user": {"id": f"person-{number % 3}", "displayName": name, "tenantId": "t-1"}},
        "body": body,
        "attachments": [],
        "mentions": [],
        "reactions": [],
        "eventDetail": None,
    }
    return {**base, **more}


def messages():
    texts = [*WORDS.values(), *HOSTILE] + [f"plain message number {n} of many" for n in range(300)]
    made = [message(number, text) for number, text in enumerate(texts)]
    number = len(made)
    first = message(number, "before the edit")
    later = stamp(AT + number * 60_000 + 5000)
    edited = message(
        number,
        "behind the edit",
        etag=str(AT + number * 60_000 + 5000),
        lastModifiedDateTime=later,
        lastEditedDateTime=later,
    )
    deleted = message(number + 1, "taken back", deletedDateTime=stamp(AT + number * 60_000 + 9000))
    html = message(number + 2, "")
    html["body"] = {
        "contentType": "html",
        "content": '<p>Hello <at id="0">Ann Lee</at> <emoji alt="😀"></emoji></p><ul><li>one</li><li>two</li></ul>'
        "<table><tr><th>h1</th><td>c2</td></tr></table><codeblock><code>let x = 1;</code></codeblock>"
        '<img src="https://tracker.example/x.png" onerror="x()"><a href="javascript:x()">link</a>',
    }
    event = message(number + 3, "<systemEventMessage/>", messageType="systemEventMessage")
    event["from"] = None
    event["eventDetail"] = {
        "@odata.type": "#microsoft.graph.chatRenamedEventMessageDetail",
        "chatDisplayName": "Checks & Balances",
        "initiator": {"user": {"id": "person-0", "displayName": "Ann Lee"}},
    }
    return [*made, first, edited, deleted, html, event]


def chatvault(*arguments, code=0):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True)
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def tool(*arguments):
    done = subprocess.run(arguments, capture_output=True)
    assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout!r}{done.stderr!r}"
    return done.stdout


def members(folder):
    """Every member of every part, after stock tools have found nothing wrong with them."""
    found = {}
    for part in sorted(folder.glob("*.zip")):
        tool("unzip", "-t", str(part))
        target = folder / part.stem
        tool("unzip", "-q", str(part), "-d", str(target))
        subprocess.run(["sha256sum", "--strict", "--quiet", "-c", "SHA256SUMS"], cwd=target, check=True)
        found.update({str(file.relative_to(target)): file for file in target.rglob("*") if file.is_file()})
    sums = next(folder.glob("*.SHA256SUMS"))
    subprocess.run(["sha256sum", "--strict", "--quiet", "-c", sums.name], cwd=folder, check=True)
    return found


def with_ending(files, ending):
    chosen = {name: file for name, file in files.items() if name.endswith(ending)}
    assert chosen, f"no {ending}"
    return chosen


def check_eml(files, stored):
    mails = with_ending(files, ".eml")
    assert len(mails) == len({one["id"] for one in stored})
    policy = email.policy.strict.clone(raise_on_defect=True)
    texts = ""
    for name, file in mails.items():
        parsed = email.message_from_bytes(file.read_bytes(), policy=policy)
        for header, value in parsed.items():
            assert "\n" not in str(value), f"{name}: {header}"
        assert "Bcc" not in parsed, name
        texts += parsed.get_body(("plain",)).get_content()
        assert not any(part.defects for part in parsed.walk()), name
    for word in WORDS.values():
        assert word in texts, word


def check_mbox(files, stored):
    boxes = with_ending(files, ".mbox").values()
    assert sum(len(mailbox.mbox(box)) for box in boxes) == len({one["id"] for one in stored})


def check_csv(files, stored):
    (table,) = with_ending(files, ".csv").values()
    text = table.read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert len(rows) == len({one["id"] for one in stored})
    bodies = [row["body_text"] for row in rows]
    for word in WORDS.values():
        assert word in bodies, word
    for row in rows:
        assert None not in row and None not in row.values(), row
        assert not any(cell.lstrip().startswith(("=", "+", "@", "-")) for cell in row.values()), row


def check_jsonl(files, stored):
    lines = with_ending(files, "messages.jsonl")["messages.jsonl"].read_text("utf-8").split("\n")
    latest = {one["id"]: one for one in stored}
    found = {one["id"]: one for one in map(json.loads, filter(None, lines))}
    assert found == latest


def check_dat(files, stored):
    (table,) = with_ending(files, ".dat").values()
    records = table.read_bytes().decode("utf-8-sig").split("\r\n")
    assert records.pop() == ""
    widths = {len(record.split("\x14")) for record in records}
    assert len(widths) == 1 and len(records) == 1 + len({one["id"] for one in stored})
    assert all(record.startswith("þ") and record.endswith("þ") for record in records)


def folded(text):
    """As a reader searches: no spaces, no marks of direction, compatibility forms made one."""
    kept = (c for c in unicodedata.normalize("NFKC", text) if not c.isspace())
    return "".join(c for c in kept if unicodedata.category(c) != "Cf")


def check_pdf(files, stored):
    for file in with_ending(files, ".pdf").values():
        tool("qpdf", "--check", str(file))
        fonts = tool("pdffonts", str(file)).decode().splitlines()[2:]
        assert fonts and all(line.split()[-5:-2] == ["yes", "yes", "yes"] for line in fonts), fonts
        text = folded(tool("pdftotext", "-enc", "UTF-8", str(file), "-").decode())
        place = 0
        for word in [*WORDS.values(), *(f"plain message number {n} of many" for n in range(300)), "taken back"]:
            found = text.find(folded(word), place)
            assert found >= 0, f"{word} is not there, or not in order"
            place = found


def check_html(files, stored):
    pages = [file.read_text("utf-8") for file in with_ending(files, ".html").values()]
    text = "".join(pages)
    assert text.count("<article") == len({one["id"] for one in stored})
    for loads in ["<script", "javascript:", 'src="http', " onerror="]:
        assert loads not in text, loads
    for word in WORDS.values():
        assert word in text, word


def check_rsmf(files, stored):
    schema = json.loads((HERE / "rsmf.schema.json").read_text())
    policy = email.policy.strict.clone(raise_on_defect=True)
    events = 0
    for name, file in with_ending(files, ".rsmf").items():
        parsed = email.message_from_bytes(file.read_bytes(), policy=policy)
        assert parsed["X-RSMF-Version"] == "2.0.0", name
        (attachment,) = parsed.iter_attachments()
        assert attachment.get_filename() == "rsmf.zip"
        packed = attachment.get_payload(decode=True)
        assert base64.b64encode(packed)
        with zipfile.ZipFile(io.BytesIO(packed)) as inner:
            assert inner.testzip() is None
            manifest = json.loads(inner.read("rsmf_manifest.json"))
        jsonschema.validate(manifest, schema)
        people = {one["id"] for one in manifest["participants"]}
        for event in manifest["events"]:
            assert event.get("participant") is None or event["participant"] in people, event
        events += len(manifest["events"])
    assert events == len({one["id"] for one in stored})


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    archive = str(FOLDER / "checks.cvault")
    stored = messages()
    source = FOLDER / "messages.jsonl"
    source.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in stored), "utf-8")
    chatvault("init", archive)
    chatvault("import", archive, "--custodian", "person-0", str(source))
    checks = {
        "eml": check_eml,
        "mbox": check_mbox,
        "csv": check_csv,
        "jsonl": check_jsonl,
        "dat": check_dat,
        "pdf": check_pdf,
        "html": check_html,
        "rsmf": check_rsmf,
    }
    for format, check in checks.items():
        out = FOLDER / format
        chatvault("export", archive, "--format", format, "--all", "--window-days", "0", "--out", str(out))
        chatvault("export", "check", str(out), archive)
        check(members(out), stored)
        print(f"{format}: read and found whole")
    damaged = next((FOLDER / "csv").glob("*.zip"))
    bytes_ = bytearray(damaged.read_bytes())
    bytes_[len(bytes_) // 2] ^= 1
    damaged.write_bytes(bytes_)
    chatvault("export", "check", str(FOLDER / "csv"), archive, code=1)
    print("a damaged part is found")


main()
