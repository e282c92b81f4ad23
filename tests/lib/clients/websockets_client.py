"""Python's websockets: prints each message of the stream on a line, and goes on from the last id when it is cut.

usage: websockets_client.py URL HEADER
"""

import asyncio
import json
import sys
from urllib.parse import urlencode

import websockets

RETRY_S = 0.1


async def main(url, header):
    headers = [tuple(header.split(": ", 1))]
    last_id = ""
    while True:
        try:
            query = urlencode({"last_event_id": last_id})
            async with websockets.connect(
                f"{url}?{query}", subprotocols=["confab.v1"], extra_headers=headers
            ) as socket:
                async for text in socket:
                    print(text, flush=True)
                    last_id = json.loads(text).get("id", last_id)
        except (OSError, websockets.WebSocketException):
            pass
        await asyncio.sleep(RETRY_S)


asyncio.run(main(*sys.argv[1:]))
