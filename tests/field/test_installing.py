"""docs/installing.md is followed with pipx, which brings a pip of its own."""

from payment_service.release import version
from tests.docs.test_installing import folder, run, shown

__all__ = ["folder"]


def test_pipx_installs_the_versions_of_the_lock(folder):
    run("uv tool install -q pipx", folder)
    for command in (*shown("sed"), *shown("pipx")):
        run(command, folder)

    assert run("payment-service --version", folder).split()[1] == version()
    listed = run("pipx runpip payment-service freeze", folder)
    pins = {line.split()[0] for line in (folder / "pins.txt").read_text().splitlines()}
    assert {each for each in listed.splitlines() if "==" in each} <= {
        pin.replace("[binary]", "").replace("[asyncio]", "") for pin in pins
    }
