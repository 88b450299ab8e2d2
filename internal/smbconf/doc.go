// Package smbconf reads the syntax of smb.conf(5) and keeps, for every value,
// the file and line it came from, so that whoever gives the values a meaning
// can name the place of each fault. It knows no parameter.
//
// What it takes over from smb.conf(5):
//
//   - [section] headers; section names compare without case, runs of white
//     space count as one blank;
//   - name = value; parameter names compare without case and without any white
//     space, so "Read Only", "readonly" and "read only" are one name;
//   - a line whose first printing character is # or ; is a comment, there are
//     no comments behind a value;
//   - a line that ends in a backslash is continued on the next line; comments
//     are not continued;
//   - include = FILE reads FILE in place, relative to the including file;
//   - yes/no, lists with blanks or commas and double quotes around elements,
//     sizes with K, M, G, T, times with a unit.
//
// Where it is stricter than smbd, which skips what it cannot read: every
// malformed line, every parameter set twice, every section opened twice is a
// fault, because a line that is silently not obeyed is how access policy gets
// lost. All faults are returned, not the first.
package smbconf
