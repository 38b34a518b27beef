"""Check an export of the books: check_export.py EXPORT [FILE-OF-ANCHORS].

AUDIT_KEYS has keys as PAYMENT_AUDIT_KEYS has them, EXPORT_KEY the public one in
hex (by openssl). What is not checked without one is said. Recipe: docs/books.md.
"""

import hashlib
import hmac
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

NAMES = "entity_id queue_id version source target trigger actor at trace_id detail"
OPEN = b"payment-service: PAYMENT_AUDIT_KEYS is not set".hex()
GIVEN = [e.strip().split(":") for e in os.environ.get("AUDIT_KEYS", "").split(",")]
KEYS = {n: bytes.fromhex("".join(k) if n != "open" else OPEN) for n, *k in GIVEN if n}
wrong, unchecked = [], set()


def written(value):
    form = {"separators": (",", ":"), "sort_keys": True, "ensure_ascii": False}
    return json.dumps(value, **form).encode()


def is_mac(key_id, data, mac):
    if not KEYS:
        unchecked.add("unchecked: what the keys of the trail have signed")
        return True
    key = KEYS.get(key_id)
    return key is not None and hmac.digest(key, data, "sha256").hex() == mac


def is_signed(public, data, signature):
    with tempfile.TemporaryDirectory() as folder:
        key = bytes.fromhex("302a300506032b6570032100" + public)
        files = {"inkey": key, "in": data, "sigfile": bytes.fromhex(signature)}
        asked = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER"]
        for name, content in files.items():
            Path(folder, name).write_bytes(content)
            asked += [f"-{name}", f"{folder}/{name}"]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def check_whole(raw, head, end):
    said = written({k: v for k, v in end.items() if k not in {"mac", "signature"}})
    found = [len(raw) - 1, hashlib.sha256(b"".join(raw[:-1])).hexdigest()]
    if [end["records"], end["sha256"]] != found or "export 1" not in head["format"]:
        wrong.append("it is not what was signed at its end")
    if not is_mac(end["key_id"], said, end["mac"]):
        wrong.append("its end is not signed by a key of the trail")
    if not (public := os.environ.get("EXPORT_KEY")):
        unchecked.add("unchecked: the signature for the public key")
    elif not is_signed(public, said, end.get("signature", "")):
        wrong.append("its end is not signed by EXPORT_KEY")


def check_line(line, hashes):
    who, version = line["entity_id"], line["version"]
    data = written([line[name] for name in ["key_id", *NAMES.split()]])
    before = hashes.get((who, version - 1), "0" * 64)
    hashes[who, version] = line["hash"]
    if line.get("masked"):
        unchecked.add("unchecked: lines of which something is hidden")
    elif not is_mac(line["key_id"], bytes.fromhex(before) + data, line["hash"]):
        wrong.append(f"{who}: version {version} is not what was signed")


def check_anchor(text, heads, last, outside):
    anchor = json.loads(text)
    name, mac = f"anchor {anchor['n']}", anchor.pop("mac")
    root = hashlib.sha256("".join(heads).encode()).hexdigest()
    if anchor["root"] != root or not is_mac(anchor["key_id"], written(anchor), mac):
        wrong.append(f"{name}: its heads or its signature are not its own")
    if last and anchor["previous"] != hashlib.sha256(last.encode()).hexdigest():
        wrong.append(f"{name} does not follow the one before it")
    if outside and text not in outside:
        wrong.append(f"{name} is not among those that went out")


raw = Path(sys.argv[1]).read_bytes().splitlines(keepends=True)
outside = {t for name in sys.argv[2:] for t in Path(name).read_text().splitlines()}
told, hashes, heads, last = [json.loads(line) for line in raw], {}, [], ""
check_whole(raw, told[0], told[-1])
for record in told[1:-1]:
    if "line" in record:
        check_line(record["line"], hashes)
    for who, queue, version, digest in record.get("heads", ()):
        heads.append(f"{who} {queue} {version} {digest}\n")
        if (who, 1) in hashes and hashes.get((who, version)) != digest:
            wrong.append(f"{who}: version {version} is not as it was anchored")
    if "anchor" in record:
        check_anchor(record["anchor"], heads, last, outside)
        heads, last = [], record["anchor"]
print(*wrong, *sorted(unchecked), sep="\n")
sys.exit(bool(wrong))
