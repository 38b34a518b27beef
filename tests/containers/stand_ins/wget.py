#!/usr/local/bin/python
"""What of BusyBox's wget a health check uses: it fails where the answer is no 2xx."""

import argparse
import sys
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

SUCCESS = range(200, 300)

parser = argparse.ArgumentParser(prog="wget")
parser.add_argument("-q", action="store_true")
parser.add_argument("-O", dest="file", required=True)
parser.add_argument("url")
options = parser.parse_args()
url = urlsplit(options.url)
try:
    connection = HTTPConnection(url.hostname or "", url.port, timeout=10)
    connection.request("GET", url.path)
    answer = connection.getresponse()
except OSError as error:
    sys.exit(f"wget: {error}")
if answer.status not in SUCCESS:
    sys.exit(f"wget: server returned error: {answer.status}")
Path(options.file).write_bytes(answer.read())
