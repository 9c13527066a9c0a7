"""The Microsoft Graph Python SDK reads a served archive, as it reads the service.

    graph_sdk.py CHATVAULT ARCHIVE

Installs the SDK into a folder of its own, starts `serve --graph`, and compares what the SDK gives with
what `chatvault query` gives: users, chats, every message of some chats page by page, all messages of a
user by the export, and one message alone.
"""

import asyncio
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
import venv

CHATS = 5


def installed(folder):
    """The SDK's own Python, which runs this file again."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-compile", "msgraph-sdk>=1.65,<2"], check=True)
    return python


def lines(binary, archive, *arguments):
    """Documents that the command gives."""
    command = [binary, "query", archive, *arguments]
    out = subprocess.run(command, check=True, capture_output=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def token(origin, secret):
    """From where the service gives tokens, too."""
    form = {"grant_type": "client_credentials", "client_id": "any", "client_secret": secret}
    data = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(f"{origin}/any/oauth2/v2.0/token", data) as answer:
        return json.load(answer)["access_token"]


def client_of(origin, bearer):
    """The SDK's client, led to this server: a host of this machine may be asked without TLS."""
    from kiota_abstractions.authentication import AuthenticationProvider
    from msgraph import GraphRequestAdapter, GraphServiceClient

    class Bearer(AuthenticationProvider):
        async def authenticate_request(self, request, additional_authentication_context=None):
            request.headers.try_add("Authorization", f"Bearer {bearer}")

    adapter = GraphRequestAdapter(Bearer())
    adapter.base_url = f"{origin}/v1.0"
    return GraphServiceClient(request_adapter=adapter)


async def every(builder, first):
    """All items of a chain of pages."""
    items, page = [], first
    while page is not None:
        items += page.value
        link = page.odata_next_link
        page = await builder.with_url(link).get() if link else None
    return items


async def read(client, binary, archive):
    """Compares what the SDK reads; gives how many messages it was."""
    users = await every(client.users, await client.users.get())
    rows = lines(binary, archive)
    assert users and rows, "an archive with messages"
    chats = sorted({row["chatId"] for row in rows if row.get("chatId")})[:CHATS]
    seen = 0
    for chat in chats:
        expected = {row["id"]: row for row in rows if row.get("chatId") == chat}
        builder = client.chats.by_chat_id(chat).messages
        messages = await every(builder, await builder.get())
        assert [m.id for m in messages] == sorted(expected, key=int, reverse=True), chat
        for message in messages:
            row = expected[message.id]
            assert message.etag == row["etag"] and message.body.content == row["body"]["content"], row
        one = await builder.by_chat_message_id(messages[0].id).get()
        assert one.id == messages[0].id and one.chat_id == chat
        seen += len(messages)
    user = next(u.id for u in users if lines(binary, archive, "--custodian", u.id, "--limit", "1"))
    builder = client.users.by_user_id(user).chats.get_all_messages
    exported = await every(builder, await builder.get())
    expected = lines(binary, archive, "--custodian", user)
    assert sorted((m.chat_id, m.id) for m in exported) == sorted((r["chatId"], r["id"]) for r in expected)
    try:
        await client.users.by_user_id("nobody").get()
        raise AssertionError("nobody is there")
    except Exception as error:
        assert getattr(error, "response_status_code", None) == 404, error
    return seen + len(exported)


def main(binary, archive, folder=None):
    if folder is None:
        with tempfile.TemporaryDirectory() as folder:
            python = installed(pathlib.Path(folder) / "sdk")
            started = time.monotonic()
            subprocess.run([python, __file__, binary, archive, folder], check=True)
            print(f"read by the SDK in {time.monotonic() - started:.0f} s")
        return
    command = [binary, "serve", archive, "--graph", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            origin, secret = server.stdout.readline().strip().split("/?token=")
            client = client_of(origin, token(origin, secret))
            print(asyncio.run(read(client, binary, archive)), "messages are the same")
        finally:
            server.terminate()


main(*sys.argv[1:])
