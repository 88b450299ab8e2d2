package session

import "log/slog"

// newTestLog is a logger of everything into w.
func newTestLog(w *logBuffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
