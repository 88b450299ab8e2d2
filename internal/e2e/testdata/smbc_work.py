# smbc_work.py URL USER PASSWORD FILE: with libsmbclient, through Debian's python3-smbc, uploads FILE
# into the share at URL, lists, renames, reads back and deletes. Prints one line for each step.
import os
import sys

import smbc

url, user, password, path = sys.argv[1:]
data = open(path, "rb").read()
c = smbc.Context()
c.optionNoAutoAnonymousLogin = True
c.functionAuthData = lambda *_: ("WORKGROUP", user, password)
print("shares", " ".join(sorted(e.name for e in c.opendir(os.path.dirname(url)).getdents() if e.smbc_type == smbc.FILE_SHARE)))


def names():
    return " ".join(sorted(e.name for e in c.opendir(url + "/smbc").getdents()))


c.mkdir(url + "/smbc", 0o755)
f = c.open(url + "/smbc/a", os.O_CREAT | os.O_WRONLY)
f.write(data)
f.close()
print("put", names())
c.rename(url + "/smbc/a", url + "/smbc/b \u00fc")
print("renamed", names())
f = c.open(url + "/smbc/b \u00fc", os.O_RDONLY)
print("same", f.read() == data, "size", f.fstat()[6])
f.close()
c.unlink(url + "/smbc/b \u00fc")
print("deleted", names())
c.rmdir(url + "/smbc")
