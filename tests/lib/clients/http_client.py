"""Python's own HTTP client, polling: prints each event on a line, and asks again with the last cursor.

usage: http_client.py URL HEADER
"""

import http.client
import json
import sys
import time
from urllib.parse import urlencode, urlsplit

RETRY_S = 0.1


def poll(url, headers, cursor):
    """One answer, or None when there was none that counts."""
    connection = http.client.HTTPConnection(url.netloc, timeout=60)
    try:
        connection.request("GET", f"{url.path}?{urlencode({'after': cursor})}", headers=headers)
        response = connection.getresponse()
        return json.load(response) if response.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def say(event):
    print(json.dumps(event), flush=True)


def main(url, header):
    headers = dict([header.split(": ", 1)])
    cursor = ""
    while True:
        answer = poll(urlsplit(url), headers, cursor)
        if answer is None:
            time.sleep(RETRY_S)
            continue
        say({"type": "connected", "data": {}})
        for event in answer["events"]:
            say(event)
        cursor = answer["cursor"]
        say({"type": "mark", "data": {}, "id": cursor})
        time.sleep(answer["interval_ms"] / 1000)


main(*sys.argv[1:])
