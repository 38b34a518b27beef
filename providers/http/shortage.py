"""Tells our own lack from the absence of whom we call.

Without a free descriptor, port or thread no connection is made, to anybody: that says
nothing about a provider, and nothing may be concluded from it.
"""

import errno
import os
import re
import socket
import ssl
from typing import Final

_SPENT: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN}
)
# What every address must have said: a host may have one that is not for this machine.
_NO_WAY: Final = frozenset(
    {errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.ENETDOWN, errno.ENETUNREACH}
)
_NO_RESOLVER: Final = frozenset(
    {socket.EAI_AGAIN, socket.EAI_MEMORY, socket.EAI_SYSTEM}
)
# Of a host with several addresses the loop tells all errors in one line.
_NUMBER: Final = re.compile(r"\[Errno (\d+)\]")
_NO_THREAD: Final = "can't start new thread"


def is_shortage(error: BaseException) -> bool:
    """Tell whether a connection failed for what this process or machine lacks."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, RuntimeError):
        return _NO_THREAD in str(error)
    if isinstance(error, socket.gaierror):
        # Without a descriptor the resolver reads no file, and then knows no name.
        return error.errno in _NO_RESOLVER or _is_out_of_descriptors()
    if isinstance(error, ssl.SSLCertVerificationError):
        # Authorities may be read from a folder, one by one, when they are needed.
        return _is_out_of_descriptors()
    if not isinstance(error, OSError):
        return False
    if error.__cause__ is not None:
        return is_shortage(error.__cause__)
    said = {error.errno} if error.errno else set(map(int, _NUMBER.findall(str(error))))
    return bool(said & _SPENT) or (bool(said) and said <= _NO_WAY)


def _is_out_of_descriptors() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return True
    return False
