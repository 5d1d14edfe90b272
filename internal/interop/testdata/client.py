# Usage: python3 client.py JOB
# Converses with an echo server once for each of the job's sets of parameters.
import asyncio
import json
import os
import ssl
import sys

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

job = json.loads(sys.argv[1])


def extensions(params):
    if params is None:
        return None
    return [
        ClientPerMessageDeflateFactory(
            server_no_context_takeover=params["serverNoContextTakeover"],
            client_no_context_takeover=params["clientNoContextTakeover"],
            server_max_window_bits=params["serverMaxWindowBits"],
            client_max_window_bits=params["clientMaxWindowBits"],
        )
    ]


async def echoes(ws, data):
    await ws.send(data)
    got = await ws.recv()
    assert type(got) is type(data) and got == data, f"{len(got)} came back for {len(data)}"


def check(ws, params):
    agreed = [e for e in ws.extensions if e.name == "permessage-deflate"]
    assert len(agreed) == (0 if params is None else 1), ws.extensions
    if params is None:
        return
    got = agreed[0]
    assert got.remote_no_context_takeover == params["serverNoContextTakeover"], got
    assert got.local_no_context_takeover == params["clientNoContextTakeover"], got
    assert got.remote_max_window_bits == params["serverMaxWindowBits"], got
    assert got.local_max_window_bits == params["clientMaxWindowBits"], got


async def converse(params, context):
    async with websockets.connect(
        job["url"], ssl=context, compression=None, extensions=extensions(params), max_size=None
    ) as ws:
        check(ws, params)
        for n in job["sizes"]:
            prose = ("all work and no play " * (n // 21 + 1))[:n]
            for data in [prose, os.urandom(n), prose, prose.upper()]:
                await echoes(ws, data)
        await echoes(ws, "Grüße, 世界 🌍")
        await ws.close(1000, "bye")
        assert (ws.close_code, ws.close_reason) == (1000, "bye"), (ws.close_code, ws.close_reason)


async def main():
    context = ssl.create_default_context(cafile=job["ca"]) if job["ca"] else None
    for params in job["params"]:
        try:
            await converse(params, context)
        except BaseException:
            print(params, file=sys.stderr)
            raise


asyncio.run(main())
print("all good", flush=True)
