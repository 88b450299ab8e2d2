package smb2

import "time"

// Filetime is FILETIME of [MS-DTYP] 2.3.3: 100 ns since 1601-01-01 UTC.
type Filetime uint64

// Special values of a time in SET_INFO FileBasicInformation ([MS-FSCC] 2.4.7).
const (
	FiletimeUnchanged Filetime = 0           // leave it
	FiletimeFreeze    Filetime = 1<<64 - 1   // -1: stop implicit updates on this handle
	FiletimeThaw      Filetime = 1<<64 - 2   // -2: resume them
	filetimeUnixEpoch Filetime = 116444736e9 // 1970-01-01
)

// FiletimeOf converts t. The zero Time is 0, as are times before 1601.
func FiletimeOf(t time.Time) Filetime {
	if t.IsZero() {
		return 0
	}
	ft := t.Unix()*1e7 + int64(t.Nanosecond())/100 + int64(filetimeUnixEpoch)
	if ft < 0 {
		return 0
	}
	return Filetime(ft)
}

// Time converts back, in UTC; 0 is the zero Time. It is exact to 100 ns.
func (f Filetime) Time() time.Time {
	if f == 0 {
		return time.Time{}
	}
	s := int64(f/1e7) - int64(filetimeUnixEpoch/1e7)
	return time.Unix(s, int64(f%1e7)*100).UTC()
}
