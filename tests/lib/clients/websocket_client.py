"""Python's websocket-client: prints each message of the stream on a line, and goes on from the last id when it is cut.

usage: websocket_client.py URL HEADER
"""

import json
import sys
import time
from urllib.parse import urlencode

import websocket

RETRY_S = 0.1


def main(url, header):
    last_id = ""

    def take(_, text):
        nonlocal last_id
        print(text, flush=True)
        last_id = json.loads(text).get("id", last_id)

    while True:
        query = urlencode({"last_event_id": last_id})
        app = websocket.WebSocketApp(
            f"{url}?{query}", subprotocols=["confab.v1"], header=[header], on_message=take
        )
        app.run_forever()
        time.sleep(RETRY_S)


main(*sys.argv[1:])
