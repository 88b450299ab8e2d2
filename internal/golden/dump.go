package golden

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// Block is one message as text: a line for its header, then a line for each field of its body, indented.
type Block struct {
	Message *Message
	Text    string
}

// Dump is the whole capture as text.
func (c *Capture) Dump() string {
	var b strings.Builder
	for _, x := range c.Blocks() {
		b.WriteString(x.Text)
	}
	return b.String()
}

// Blocks is the capture as text, message by message: "> 4 READ ..." from the client, "< 4 READ ..." from the server,
// with the MessageId; the messages of a compound behind the first have "+". Ids, keys and times that another making
// would have otherwise are numbered in the order in which they appear.
func (c *Capture) Blocks() []Block {
	d := &dumper{names: newNames(), pipes: map[string]bool{}}
	list := make([]Block, 0, len(c.Messages))
	follows := false
	for _, m := range c.Messages {
		d.text.Reset()
		d.message(m, follows)
		follows = !m.Last
		list = append(list, Block{m, d.text.String()})
	}
	return list
}

// dumper writes one message after the other.
type dumper struct {
	text  strings.Builder
	names *names
	msg   *Message
	pipes map[string]bool // names of trees that are IPC$
}

func (d *dumper) line(depth int, format string, args ...any) {
	d.text.WriteString(strings.Repeat("  ", depth))
	fmt.Fprintf(&d.text, format, args...)
	d.text.WriteByte('\n')
}

// message writes a message.
func (d *dumper) message(m *Message, follows bool) {
	d.msg = m
	mark := ">"
	if m.Response {
		mark = "<"
	}
	if follows {
		mark += "+"
	}
	if m.SMB1 != nil {
		d.line(0, "%s SMB1 NEGOTIATE %q", mark, m.SMB1.Dialects)
		return
	}
	d.line(0, "%s %s", mark, d.header(m))
	if r, ok := m.Body.(*smb2.TreeConnectResponse); ok && r.ShareType == smb2.ShareTypePipe {
		d.pipes[d.names.tree(m.Header.SessionID, m.Header.TreeID)] = true
	}
	d.fields(1, reflect.ValueOf(m.Body).Elem())
}

// header is a header in one line.
func (d *dumper) header(m *Message) string {
	h := &m.Header
	parts := []string{fmt.Sprint(h.MessageID), h.Command.String()}
	if h.MessageID == smb2.UnsolicitedMessageID {
		parts[0] = "unsolicited"
	}
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	add("%s", d.names.of("connection", m.Client.Port()))
	if m.Response {
		add("%s", statusName(h.Status))
	} else if h.Status != 0 {
		add("channel-sequence %d", h.ChannelSequence())
	}
	if h.SessionID != 0 {
		add("%s", d.names.of("session", h.SessionID))
	}
	if h.Flags&smb2.FlagAsync != 0 {
		add("%s", d.names.of("async", h.AsyncID))
	} else if h.TreeID != 0 {
		add("%s", d.names.tree(h.SessionID, h.TreeID))
	}
	add("charge %d credits %d", h.CreditCharge, h.Credits)
	for _, f := range []struct {
		flag smb2.Flags
		name string
	}{{smb2.FlagRelated, "related"}, {smb2.FlagSigned, "signed"}, {smb2.FlagDFS, "dfs"}, {smb2.FlagReplay, "replay"}} {
		if h.Flags&f.flag != 0 {
			add("%s", f.name)
		}
	}
	if m.Sealed {
		add("sealed")
	}
	return strings.Join(parts, " ")
}

// statusName is the status's name or, where it has none, its number.
func statusName(s ntstatus.Status) string { return s.Name() }

// fields writes the fields of a structure that are not zero.
func (d *dumper) fields(depth int, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous && f.Type.Kind() == reflect.Struct {
			d.fields(depth, v.Field(i))
			continue
		}
		if !f.IsExported() || v.Field(i).IsZero() || f.Type.Kind() == reflect.Slice && v.Field(i).Len() == 0 {
			continue
		}
		if shown, ok := d.special(f.Name, v.Field(i).Interface()); ok {
			d.line(depth, "%s: %s", f.Name, shown)
			if f.Type == reflect.TypeFor[[]byte]() {
				d.payload(depth+1, f.Name, v.Field(i).Bytes())
			}
			continue
		}
		d.value(depth, f.Name, v.Field(i))
	}
}

// value writes one field of any kind.
func (d *dumper) value(depth int, name string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		d.value(depth, name, v.Elem())
	case reflect.Struct:
		if d.context(depth, name, v) {
			return
		}
		d.line(depth, "%s:", name)
		d.fields(depth+1, v)
	case reflect.Slice, reflect.Array:
		d.list(depth, name, v)
	case reflect.String:
		d.line(depth, "%s: %q", name, text(v.String()))
	case reflect.Bool:
		d.line(depth, "%s: %t", name, v.Bool())
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		d.line(depth, "%s: %s", name, number(v))
	default:
		d.line(depth, "%s: %v", name, v.Interface())
	}
}

// list writes the elements of a slice.
func (d *dumper) list(depth int, name string, v reflect.Value) {
	switch elem := v.Type().Elem(); elem.Kind() {
	case reflect.Uint8:
		b := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(b), v)
		d.line(depth, "%s: %s", name, hex.EncodeToString(b))
	case reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.String:
		parts := make([]string, v.Len())
		for i := range parts {
			if parts[i] = fmt.Sprintf("%q", v.Index(i).Interface()); elem.Kind() != reflect.String {
				parts[i] = number(v.Index(i))
			}
		}
		d.line(depth, "%s: %s", name, strings.Join(parts, " "))
	default:
		for i := range v.Len() {
			d.value(depth, fmt.Sprintf("%s[%d]", name, i), v.Index(i))
		}
	}
}

// number is a number: named constants and counts alike as decimal, types of flags in hex.
func number(v reflect.Value) string {
	if s, ok := v.Interface().(fmt.Stringer); ok {
		return s.String()
	}
	switch v.Interface().(type) {
	case uint8, uint16, uint32, uint64, smb2.CreateDisposition, smb2.CreateAction, smb2.ImpersonationLevel, smb2.InfoType, smb2.InfoClass,
		smb2.ShareType, smb2.NotifyAction, smb2.ACEType, smb2.NegotiateContextType, smb2.AllocationSize, smb2.CompressionState:
		return fmt.Sprint(v.Uint())
	}
	return fmt.Sprintf("%#x", v.Uint())
}
