"""Python's email package as a reader of From, in both of its policies.

Each line of input is a field body in base64; each line of output says, for each policy, what it shows: pairs of a name and an
address.
"""

import base64
import json
import sys
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import getaddresses


def compat32(raw):
    """The policy that programs get which ask for none: the field as it is, and names decoded."""
    message = message_from_bytes(raw, policy=policy.compat32)
    shown = []
    for name, address in getaddresses([str(value) for value in message.get_all("From", [])]):
        try:
            name = str(make_header(decode_header(name)))
        except (LookupError, ValueError):
            pass
        shown.append([name, address])
    return shown


def default(raw):
    """The policy of new programs, in which fields are objects."""
    message = message_from_bytes(raw, policy=policy.default)
    return [[address.display_name, address.addr_spec] for value in message.get_all("From", []) for address in value.addresses]


def shown(read, raw):
    # What a reader cannot read at all it does not show.
    try:
        return read(raw)
    except Exception:  # pylint: disable=broad-except
        return []


for line in sys.stdin:
    raw = b"From: " + base64.b64decode(line) + b"\r\n\r\n"
    answer = {"python compat32": shown(compat32, raw), "python default": shown(default, raw)}
    # Octets that no header should have come as surrogates, which nobody else takes.
    text = json.dumps(answer, ensure_ascii=False).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    sys.stdout.buffer.write(text.encode() + b"\n")
    sys.stdout.buffer.flush()
