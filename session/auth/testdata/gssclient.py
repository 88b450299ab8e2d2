"""A GSS-API initiator on MIT's libgssapi_krb5, driven by lines on standard input.

usage: gssclient.py krb5|spnego SERVICE@HOST FLAGS

step BASE64           -> token BASE64 (more to come) | done BASE64
mic BASE64            -> BASE64
verify BASE64 BASE64  -> ok | bad
key                   -> BASE64 of the session key that Windows' SSPI and SMB use
"""
import base64
import ctypes
import sys
from ctypes import POINTER, byref, c_size_t, c_uint32, c_void_p

gss = ctypes.CDLL("libgssapi_krb5.so.2")


class Buffer(ctypes.Structure):
    _fields_ = [("length", c_size_t), ("value", c_void_p)]


class OID(ctypes.Structure):
    _fields_ = [("length", c_uint32), ("elements", c_void_p)]


class BufferSet(ctypes.Structure):
    _fields_ = [("count", c_size_t), ("elements", POINTER(Buffer))]


keep = []


def oid(raw):
    keep.append(ctypes.create_string_buffer(raw, len(raw)))
    return OID(len(raw), ctypes.addressof(keep[-1]))


def buffer(raw):
    keep.append(ctypes.create_string_buffer(raw, len(raw)))
    return Buffer(len(raw), ctypes.addressof(keep[-1]))


def raw(buf):
    return ctypes.string_at(buf.value, buf.length) if buf.length else b""


def check(major, minor):
    if major & 0xFFFF0000:
        print("error %08x %d" % (major, ctypes.c_int32(minor.value).value), flush=True)
        sys.exit(1)


MECHS = {"krb5": b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02", "spnego": b"\x2b\x06\x01\x05\x05\x02"}
mech = oid(MECHS[sys.argv[1]])
hostbased = oid(b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x01\x04")
sessionkey = oid(b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x05\x05")
minor, name, context = c_uint32(), c_void_p(), c_void_p()
check(gss.gss_import_name(byref(minor), byref(buffer(sys.argv[2].encode())), byref(hostbased), byref(name)), minor)

for line in sys.stdin:
    command, *args = line.split()
    args = [base64.b64decode(a) for a in args]
    out = Buffer()
    if command == "step":
        given = buffer(args[0]) if args else Buffer()
        major = gss.gss_init_sec_context(byref(minor), None, byref(context), name, byref(mech), c_uint32(int(sys.argv[3])), c_uint32(0),
                                         None, byref(given), None, byref(out), None, None)
        check(major, minor)
        print("token" if major & 1 else "done", base64.b64encode(raw(out)).decode(), flush=True)
    elif command == "mic":
        check(gss.gss_get_mic(byref(minor), context, c_uint32(0), byref(buffer(args[0])), byref(out)), minor)
        print(base64.b64encode(raw(out)).decode(), flush=True)
    elif command == "verify":
        major = gss.gss_verify_mic(byref(minor), context, byref(buffer(args[0])), byref(buffer(args[1])), None)
        print("bad" if major & 0xFFFF0000 else "ok", flush=True)
    elif command == "key":
        found = POINTER(BufferSet)()
        check(gss.gss_inquire_sec_context_by_oid(byref(minor), context, byref(sessionkey), byref(found)), minor)
        print(base64.b64encode(raw(found.contents.elements[0])).decode(), flush=True)
