"""What goes with a release: a bill of materials, known weaknesses, digests of images.

``python -m ops.release FOLDER`` writes ``sbom.json`` (CycloneDX 1.6, from the locks, so
with the hashes that an install demands) and ``release.json``: what was found out, and
by name what could not be. Nothing is invented: no registry, no digest. Exit 1 where a
weakness is known.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[1]
LOCK: Final = "requirements.lock"
SECONDS_MAX: Final = 120
SERVICE: Final = "payment-service"
_PACKAGE: Final = re.compile(
    r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", re.MULTILINE
)
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_FROM: Final = re.compile(r"^FROM (\S+:\S+)", re.MULTILINE)
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


def bill_of_materials(lock: str) -> dict[str, Any]:
    """Return what an install from the lock puts together, as CycloneDX."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": SERVICE}},
        "components": [*_components(lock)],
    }


def _components(lock: str) -> Iterator[dict[str, Any]]:
    found = [*_PACKAGE.finditer(lock)]
    ends = [each.start() for each in found[1:]] + [len(lock)]
    for each, end in zip(found, ends, strict=True):
        name, version = each[1].lower(), each[2]
        hashes = _HASH.findall(lock, each.start(), end)
        yield {
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{name}@{version}",
            # Those of every file that may be installed for it, one for each platform.
            "hashes": [{"alg": "SHA-256", "content": each} for each in hashes],
        }


def images() -> list[str]:
    """Return the tags of others that the Dockerfile and docker-compose.yml name."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    named = {table["image"] for table in compose.values() if "build" not in table}
    based_on = _FROM.findall((ROOT / "Dockerfile").read_text())
    return sorted({*named - {SERVICE}, *based_on})


def digest_of(image: str) -> tuple[str | None, str]:
    """Return what a registry says the tag is now; or None, and why it is not known."""
    docker = shutil.which("docker")
    if docker is None:
        return None, "docker with buildx is not installed here"
    argv = [docker, "buildx", "imagetools", "inspect", image]
    code, told = _run([*argv, "--format", "{{.Manifest.Digest}}"])
    found = _DIGEST.search(told)
    if code == 0 and found:
        return found[0], ""
    return None, f"docker buildx imagetools inspect said: {_last(told)}"


def advisories() -> tuple[list[Any] | None, str]:
    """Return the packages with known weaknesses; and of which nobody could say.

    None where nothing could be asked at all.
    """
    tool = shutil.which("pip-audit", path=str(Path(sys.executable).parent))
    if tool is None:
        return None, "pip-audit is not installed: `make release-tools`"
    argv = [tool, "--requirement", LOCK, "--require-hashes", "--disable-pip"]
    _, told = _run([*argv, "--format", "json", "--progress-spinner", "off"])
    try:
        checked = json.loads(told[told.index("{") :])["dependencies"]
    except (ValueError, KeyError):
        return None, _last(told)
    return judged(checked)


def judged(checked: list[Any]) -> tuple[list[Any] | None, str]:
    """Return what the tool found; a package that it left out was not audited."""
    left_out = [each for each in checked if "skip_reason" in each]
    why = ""
    if left_out:
        count = f"{len(left_out)} of {len(checked)} packages were not audited"
        why = f"{count}: {_last(left_out[0]['skip_reason'])}"
    if len(left_out) == len(checked):
        return None, why or "no package was audited"
    return [each for each in checked if each.get("vulns")], why


def _run(argv: list[str]) -> tuple[int, str]:
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            argv,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    return done.returncode, done.stdout or done.stderr


def _last(told: str) -> str:
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def main(folder: Path) -> int:
    """Write both files, and say what could not be found out."""
    folder.mkdir(parents=True, exist_ok=True)
    bill = bill_of_materials((ROOT / LOCK).read_text())
    (folder / "sbom.json").write_text(json.dumps(bill, indent=2) + "\n")
    weak, why = advisories()
    lacking = [f"advisories: {why}"] if why else []
    digests = {}
    for image in images():
        digests[image], why = digest_of(image)
        if why:
            lacking.append(f"digest of {image}: {why}")
    told = {"weak": weak, "digests": digests, "not_known": lacking}
    (folder / "release.json").write_text(json.dumps(told, indent=2) + "\n")
    print(f"sbom.json: {len(bill['components'])} packages")
    print(*(f"not known: {each}" for each in lacking), sep="\n")
    for each in weak or []:
        print(f"known weakness: {each['name']} {each['version']}")
    return 1 if weak else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
