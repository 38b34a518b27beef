"""Sends one request, given as JSON; tells status and body as JSON."""

import json
import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit

asked = json.loads(sys.argv[1])
url = urlsplit(asked["url"])
connection = HTTPConnection(url.hostname or "", url.port, timeout=60)
path = f"{url.path}?{url.query}" if url.query else url.path
connection.request(asked["method"], path, asked["body"], asked["headers"])
answer = connection.getresponse()
told = {"status": answer.status, "body": answer.read().decode()}
sys.stdout.write(json.dumps(told))
