"""Does what the entry point of the image ``postgres`` does before the server starts.

Run inside the container, as root, with the command as its arguments.
"""

import os
import subprocess
import sys
from pathlib import Path

USER, UID = "postgres", 999
PGDATA = Path("/var/lib/postgresql/18/docker")
SOCKETS = Path("/var/run/postgresql")
SCRIPTS = Path("/docker-entrypoint-initdb.d")


def main(command: list[str]) -> None:
    for folder in (PGDATA, SOCKETS):
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, UID, UID)
    os.setgroups([])
    os.setgid(UID)
    os.setuid(UID)
    os.environ["PGDATA"] = str(PGDATA)
    if command[0] == "postgres" and not (PGDATA / "PG_VERSION").exists():
        initialise()
    os.execvp(command[0], command)  # noqa: S606 - that is the point


def initialise() -> None:
    if not (password := os.environ.get("POSTGRES_PASSWORD")):
        sys.exit("Database is uninitialized and superuser password is not specified.")
    user = os.environ.get("POSTGRES_USER", USER)
    database = os.environ.get("POSTGRES_DB", user)
    file = SOCKETS / "password"
    file.write_text(password)
    subprocess.run(
        ["initdb", f"--username={user}", f"--pwfile={file}", "--auth-local=trust"],
        check=True,
    )
    with (PGDATA / "pg_hba.conf").open("a") as rules:
        rules.write("host all all all scram-sha-256\n")
    # The image's sample of the configuration says so.
    with (PGDATA / "postgresql.conf").open("a") as settings:
        settings.write("listen_addresses = '*'\n")
    subprocess.run(
        ["postgres", "--single", "-j", "postgres"],
        input=f'CREATE DATABASE "{database}";\n\n',
        text=True,
        check=True,
    )
    run_scripts()


def run_scripts() -> None:
    """Run what the image finds in its folder, on a server that only it can reach."""
    server = ["pg_ctl", "--wait", "--silent", f"--pgdata={PGDATA}"]
    only_here = f"-c listen_addresses='' -c unix_socket_directories={SOCKETS}"
    subprocess.run([*server, "start", f"--options={only_here}"], check=True)
    os.environ["PGHOST"] = str(SOCKETS)
    for script in sorted(SCRIPTS.glob("*.sh")):
        subprocess.run([script], check=True)
    del os.environ["PGHOST"]
    subprocess.run([*server, "stop", "--mode=fast"], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
