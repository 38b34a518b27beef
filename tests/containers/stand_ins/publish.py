"""Leads connections to a port of the host to one of a container, as Docker does."""

import asyncio
import sys


async def main(host: str, port: str, to_host: str, to_port: str) -> None:
    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            their_reader, their_writer = await asyncio.open_connection(to_host, to_port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, their_writer), _copy(their_reader, writer))

    server = await asyncio.start_server(lead, host, int(port))
    await server.serve_forever()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
