package smbconf

import (
	"fmt"
	"sort"
	"strings"
)

// Position is a place in a configuration file. Line counts from 1; 0 means the
// file as a whole (it cannot be read, a section is missing).
type Position struct {
	File string
	Line int
}

// String gives the form that editors jump to: file:line.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Fault is one thing wrong with a configuration. Section and Parameter are
// empty where the fault is not inside one.
type Fault struct {
	Position
	Section   string
	Parameter string
	Reason    string
}

// Error is one line: place, section, parameter, reason.
func (f Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.Position.String())
	b.WriteString(": ")
	if f.Section != "" {
		fmt.Fprintf(&b, "[%s] ", f.Section)
	}
	if f.Parameter != "" {
		b.WriteString(f.Parameter)
		b.WriteString(": ")
	}
	b.WriteString(f.Reason)
	return b.String()
}

// Faults is everything wrong with a configuration. It is an error so that it
// can be returned as one, but an empty Faults must not be: use Err.
type Faults []Fault

// Error is one fault per line.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Err is nil when there is no fault, else the faults in the order of the files.
func (fs Faults) Err() error {
	if len(fs) == 0 {
		return nil
	}
	sorted := append(Faults(nil), fs...)
	sort.SliceStable(sorted, func(i, j int) bool {
		a, b := sorted[i], sorted[j]
		if a.File != b.File {
			return a.File < b.File
		}
		return a.Line < b.Line
	})
	return sorted
}
