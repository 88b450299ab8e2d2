package core

import (
	"slices"
	"strings"
	"time"

	"smbproxy/internal/smb2"
)

// behind tells changes that were made behind us from the echo of our own. A backend tells
// of both in the same words.
//
//	own change --> touch ----+--> the watchers, at once
//	                         | explains
//	backend tells -----------+--> dropped
//	      |  nothing explains it yet
//	      v
//	    held --- own change within holdTime ---> dropped
//	      +----- none ---> the watchers
//
// A change of a name is told by a backend once for each of ours, so it is counted; Samba
// tells some twice, by its own knowledge and by inotify's, but at once. A change of a file may be told any number of times, or not at all: it is an echo if it comes
// within echoTime. Later ones are told again, which harms nobody, rather than lost.
type behind struct {
	w        *watch
	touches  map[string]*touch // by folded name, relative to the directory
	order    []string          // the names of touches, the oldest first
	held     []heldChange      // the oldest first
	deadline Instant           // of the first held change
}

// touch is what was lately done through us to a name.
type touch struct {
	at     Instant
	echoes [smb2.FileActionRenamedNewName + 1]uint8   // that a backend still has to tell
	own    [smb2.FileActionRenamedNewName + 1]Instant // when the last of them was made, 0 never
}

// heldChange is a change that a backend has told of and that may turn out to be ours: a
// backend may tell of it before it answers who made it.
type heldChange struct {
	Change
	key   string
	until Instant
}

const (
	// echoTime is how long after our own change of a file a backend's is taken for its echo.
	echoTime = 100 * time.Millisecond
	// holdTime is how long a change is held that no change of ours explains.
	holdTime = 250 * time.Millisecond
	// touchTime is how long a backend may take to tell of our own change of a name.
	touchTime = 10 * time.Second
	// twiceTime is how long after our own change of a name a second echo of it is taken for one.
	twiceTime = 500 * time.Millisecond
	// maxTouches bounds the names that are kept for touchTime.
	maxTouches = 10000
)

// due and expire make held changes timed.
func (b *behind) due() Instant { return b.deadline }

// expire tells what has been held for long enough.
func (b *behind) expire(s *State, now Instant) {
	for len(b.held) > 0 && b.held[0].until <= now {
		b.w.buffer(s, b.held[0].Change)
		b.held = b.held[1:]
	}
	b.w.answer(s)
	b.schedule(s)
}

// schedule sets the timer.
func (b *behind) schedule(s *State) {
	b.deadline = 0
	if len(b.held) > 0 {
		b.deadline = b.held[0].until
		s.at(b)
	}
}

// noticed takes a change in that a backend tells of.
func (b *behind) noticed(s *State, now Instant, c Change) {
	key := touchKey(c.Name)
	if t := b.touches[key]; t != nil && t.explains(now, c.Action) {
		return
	}
	b.held = append(b.held, heldChange{c, key, now.Add(holdTime)})
	if len(b.held) == 1 {
		b.schedule(s)
	}
}

// explains says whether a change that a backend tells of now is an echo.
func (t *touch) explains(now Instant, a smb2.NotifyAction) bool {
	if !namesChange(a) {
		return now <= t.at.Add(echoTime)
	}
	if t.echoes[a] == 0 || now > t.at.Add(touchTime) {
		return t.own[a] != 0 && now <= t.own[a].Add(twiceTime)
	}
	t.echoes[a]--
	return true
}

// touch notes a change of ours. What is held and explained by it is dropped.
func (b *behind) touch(s *State, now Instant, name string, a smb2.NotifyAction) {
	b.forget(now)
	key := touchKey(name)
	t := b.touches[key]
	if t == nil {
		t = &touch{}
		b.touches[key] = t
		b.order = append(b.order, key)
	}
	t.at = now
	if namesChange(a) {
		t.echoes[a]++
		t.own[a] = now
	}
	n := len(b.held)
	b.held = slices.DeleteFunc(b.held, func(h heldChange) bool { return h.key == key && t.explains(now, h.Action) })
	if len(b.held) != n {
		b.schedule(s)
	}
}

// forget drops touches that explain nothing any more.
func (b *behind) forget(now Instant) {
	for n := len(b.order); n > 0; n-- {
		t := b.touches[b.order[0]]
		if now <= t.at.Add(touchTime) && len(b.order) < maxTouches {
			return
		}
		delete(b.touches, b.order[0])
		b.order = b.order[1:]
	}
}

// namesChange says whether an action is about a name rather than about the file.
func namesChange(a smb2.NotifyAction) bool {
	return a != smb2.FileActionModified && a <= smb2.FileActionRenamedNewName
}

// touchKey is the name of a file under which a change of it or of its streams is noted.
func touchKey(name string) string {
	name, _, _ = strings.Cut(name, ":")
	return strings.ToUpper(name)
}
