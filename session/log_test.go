package session

import (
	"log/slog"
	"strings"
)

// newTestLog is a logger of everything into w.
func newTestLog(w *logBuffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// contains looks for s in the log.
func (l *logBuffer) contains(s string) bool { return strings.Contains(l.String(), s) }

// reset forgets the log.
func (l *logBuffer) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}
