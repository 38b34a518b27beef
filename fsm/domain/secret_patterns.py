"""What secrets look like in a text: by the names before them, or by themselves."""

import re
from typing import Final

HINTS: Final = (
    *("passw", "passphrase", "passcode", "secret", "token", "api", "signature"),
    *("cookie", "credential", "private", "authoriz", "bearer", "basic ", "://"),
    *("eyj", "sk_", "rk_", "whsec_", "access", "pwd", "failing row", "[parameters"),
)
NAMED: Final = re.compile(
    r"""((?:passw(?:or)?d|passphrase|passcode|secret|token|api[ _-]?key|signature
          |set-cookie|cookie|credentials?|private[ _-]?key|access[ _-]?key|pwd
          |authorization)[\w-]{0,40}
         (?:\\*["'])?\s{0,8}(?:=>|[:=]|(?<=["']),)\s{0,8})
        (?!(?:\s|is\b|are\b|was\b|must\b|looks\b|has\b|have\b|not\b|no\b|cannot\b|may\b
            |should\b|see\b|set\b|a\b|an\b|the\b|in\b|it\b|missing\b|unknown\b
            |expired\b|wrong\b|invalid\b|none\b|null\b|true\b|false\b|\*\*\*|[{\[(]))
        ( b?"(?:[^"\\]|\\.)*"? | b?'(?:[^'\\]|\\.)*'? | \\+".*?(?:\\+"|$)
        | (?:bearer|basic|digest|token|v1,)\s*[^\s"',;}\])]+
        | [^\s,;&"'}\])]+ )""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
HEADER: Final = re.compile(
    r"\b((?:proxy-)?authorization|(?:set-)?cookie)(\s*:\s*)[^\r\n\"']+", re.IGNORECASE
)
BEARER: Final = re.compile(
    r"\b(bearer|basic)(\s+)(?-i:(?![a-z]+\b))[\w.~+/=-]{6,}", re.IGNORECASE
)
LOOKS_SECRET: Final = re.compile(
    r"(?<=://)(?!user:password@)[^@\s/\"'<>]*(?=@)"
    r"|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"
    r"|\b(?:[sr]k_(?:live|test)|psk|whsec)_[\w+/=-]{8,}"
    r"|\bS[UAONCX][A-Z2-7]{56}\b"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?<=Failing row contains )\(.*?\)(?=\.?\s*(?:$|\n))"
    r"|(?<=\[parameters: ).*?(?=\]\s*(?:$|\n))",
    re.DOTALL,
)
