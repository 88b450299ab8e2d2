"""NTLM as impacket's clients speak it.

usage: impacket_ntlm.py USER PASSWORD DOMAIN

negotiate        -> BASE64
challenge BASE64 -> BASE64 of the AUTHENTICATE_MESSAGE, BASE64 of the session key
"""
import base64
import sys

from impacket import ntlm

user, password, domain = sys.argv[1:]
first = ntlm.getNTLMSSPType1("WS", domain, True, use_ntlmv2=True)
for line in sys.stdin:
    command, *args = line.split()
    if command == "negotiate":
        print(base64.b64encode(first.getData()).decode(), flush=True)
    elif command == "challenge":
        last, key = ntlm.getNTLMSSPType3(first, base64.b64decode(args[0]), user, password, domain, use_ntlmv2=True)
        key = key if isinstance(key, bytes) else key.encode()
        print(base64.b64encode(last.getData()).decode(), base64.b64encode(key).decode(), flush=True)
