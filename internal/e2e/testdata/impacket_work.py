# impacket_work.py ADDRESS PORT USER PASSWORD SHARE FILE: with impacket's SMBConnection lists the
# shares, then uploads FILE, lists, renames, reads back and deletes. Prints one line for each step.
import io
import sys

from impacket.smbconnection import SMBConnection

address, port, user, password, share, path = sys.argv[1:]
data = open(path, "rb").read()
c = SMBConnection(address, address, sess_port=int(port), timeout=60)
c.login(user, password)
print("dialect", hex(c.getDialect()), "signing", c.isSigningRequired())
print("shares", " ".join(sorted(s["shi1_netname"][:-1] for s in c.listShares())))
c.createDirectory(share, "impacket")
c.putFile(share, "impacket\\a", io.BytesIO(data).read)


def names():
    return " ".join(sorted(f.get_longname() for f in c.listPath(share, "impacket\\*")))


print("put", names())
c.rename(share, "impacket\\a", "impacket\\b \u00fc")
print("renamed", names())
back = io.BytesIO()
c.getFile(share, "impacket\\b \u00fc", back.write)
print("same", back.getvalue() == data)
c.deleteFile(share, "impacket\\b \u00fc")
print("deleted", names())
c.deleteDirectory(share, "impacket")
c.logoff()
