"""NATS servers as they are found: with accounts, permissions, limits, TLS."""

import json
import os
import signal
import socket
from contextlib import contextmanager

from payment_service.playground.embedded import EmbeddedNats
from tests.playground.embedded.processes import memory_folder


class FoundNats(EmbeddedNats):
    """A server whose whole configuration is the test's; it asks nobody who they are.

    ``STORE`` in the configuration is its folder.
    """

    def _command(self):
        command = super()._command()
        self._write()
        return command

    def _write(self):
        text = self._configuration.replace("STORE", json.dumps(str(self.store_dir)))
        head = f'listen: 127.0.0.1:{self.port}\nserver_name: "{self._server_name}"'
        (self.folder / "nats.conf").write_text(f"{head}\n{text}\n")

    def _is_ready(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                return self._server_name.encode() in connection.recv(4096)
        except TimeoutError:
            # One that wants TLS first says nothing.
            return True
        except OSError:
            return False

    def url_of(self, login, scheme="nats"):
        return f"{scheme}://{login}@127.0.0.1:{self.port}"

    def reload(self, configuration):
        """Have the running server read another configuration."""
        self._configuration = configuration
        self._write()
        os.kill(self.pid, signal.SIGHUP)


@contextmanager
def serving(configuration):
    """Serve with this configuration until the block is left."""
    with FoundNats(configuration=configuration, within=memory_folder()) as server:
        yield server


def account(permissions="", limits="enabled", user="svc", password="pw"):  # noqa: S107 - a test's
    """Return the configuration of one account with JetStream and one user."""
    allowed = f", permissions: {{ {permissions} }}" if permissions else ""
    return f"""
jetstream {{ store_dir: STORE, max_file_store: 1GB, max_memory_store: 64MB }}
accounts {{
  APP {{
    jetstream: {limits}
    users: [
      {{ user: {user}, password: "{password}"{allowed} }}
      {{ user: operator, password: operator }}
    ]
  }}
  SYS {{ users: [ {{ user: sys, password: sys }} ] }}
}}
system_account: SYS
"""
