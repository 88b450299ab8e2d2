package demux

import (
	"bytes"
	"strings"

	"smbproxy/internal/ntstatus"
)

// Names. What a backend is told is never the client's own spelling: `..` is folded here, as
// smbd folds it (without looking whether the component before it exists), so that no `..` ever
// reaches a backend and a name can be routed, ordered and compared. Separators become `\`,
// doubled and trailing ones go. Everything else (case, @GMT tokens, ".", mangled names,
// unpaired surrogates) is left for the backend to judge.
//
// The statuses are those of Samba 4.17, found by asking it.

// separator is the only one that is sent to a backend. smbd takes `/` for one as well, so we
// must too: a `/` in a component would be a way around folding.
const separator = '\\'

func isSeparator(c byte) bool { return c == '\\' || c == '/' }

// createName normalises the name of a CREATE. With SMB2_FLAGS_DFS_OPERATIONS it begins with
// server\share, which is dropped ([MS-SMB2] 3.3.5.9); without, it may not begin with a
// separator. The empty name is the root of the share.
func createName(raw string, dfs bool) (string, error) {
	if dfs {
		raw = stripDFSPrefix(raw)
	} else if raw != "" && isSeparator(raw[0]) {
		return "", ntstatus.InvalidParameter
	}
	return fold(raw)
}

// targetName normalises the new name of a rename or of a link. A leading separator is allowed
// there (Samba 4.17; [MS-SMB2] 2.2.39 has the name relative to the share's root).
func targetName(raw string) (string, error) {
	if raw == "" {
		return "", ntstatus.InvalidParameter
	}
	return fold(raw)
}

// stripDFSPrefix drops \server\share from a DFS path, with one leading separator or none.
func stripDFSPrefix(raw string) string {
	if raw != "" && isSeparator(raw[0]) {
		raw = raw[1:]
	}
	for range 2 {
		i := strings.IndexAny(raw, `\/`)
		if i < 0 {
			return ""
		}
		raw = raw[i+1:]
	}
	return raw
}

// fold removes `..`, doubled and trailing separators from a path, and refuses what smbd
// refuses on the way, in the order of the components: `..` above the root, control characters
// and `|`, a malformed stream, a wildcard in what is left. A stream ends the path.
func fold(raw string) (string, error) {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		if isSeparator(raw[i]) {
			i++
			continue
		}
		end := i
		for end < len(raw) && !isSeparator(raw[end]) && raw[end] != ':' {
			if raw[end] < 0x20 || raw[end] == '|' {
				return "", ntstatus.ObjectNameInvalid
			}
			end++
		}
		component := raw[i:end]
		stream := ""
		if end < len(raw) && raw[end] == ':' {
			stream = raw[end:]
			if !validStream(stream) || component == ".." || component == "" && len(out) > 0 {
				return "", ntstatus.ObjectNameInvalid
			}
		}
		if component == ".." {
			if len(out) == 0 {
				return "", ntstatus.ObjectPathSyntaxBad
			}
			out = out[:max(bytes.LastIndexByte(out, separator), 0)]
			i = end
			continue
		}
		if len(out) > 0 {
			out = append(out, separator)
		}
		out = append(out, component...)
		if stream != "" {
			return withoutWildcards(string(out), stream)
		}
		i = end
	}
	return withoutWildcards(string(out), "")
}

// withoutWildcards refuses a path with wildcards ([MS-FSCC] 2.1.4.3): only QUERY_DIRECTORY
// has a use for them. A stream's name may have any.
func withoutWildcards(path, stream string) (string, error) {
	if strings.ContainsAny(path, `*?<>"`) {
		return "", ntstatus.ObjectNameInvalid
	}
	return path + stream, nil
}

// validStream says whether ":name" or ":name:$TYPE" is one: at most two colons, none at the
// end, no separator, no NUL.
func validStream(s string) bool {
	return !strings.ContainsAny(s, "\\/\x00") && !strings.HasSuffix(s, ":") && strings.Count(s, ":") <= 2
}

// splitStream parts a normalised name into the base file's path and the stream with its colon,
// empty where there is none.
func splitStream(name string) (path, stream string) {
	if i := strings.IndexByte(name, ':'); i >= 0 {
		return name[:i], name[i:]
	}
	return name, ""
}

// validPattern says whether a QUERY_DIRECTORY search pattern names entries of one directory
// ([MS-SMB2] 3.3.5.18). An empty one is left to the backend, which looks at the handle first.
func validPattern(p string) bool { return !strings.ContainsAny(p, `\/`) }

// shareName takes the share out of a TREE_CONNECT's \\server\share ([MS-SMB2] 2.2.9). ok is
// false when the path has not that form.
func shareName(path string) (share string, ok bool) {
	rest, ok := strings.CutPrefix(path, `\\`)
	if !ok {
		return "", false
	}
	server, share, ok := strings.Cut(rest, `\`)
	return share, ok && server != "" && share != "" && !strings.ContainsAny(share, `\/`)
}
