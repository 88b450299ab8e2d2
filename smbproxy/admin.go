package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// adminSource is what the admin socket shows; node implements it.
type adminSource interface {
	status() statusReply
	sessionRows() []sessionRow
	openRows() []openRow
	lockRows() []lockRow
	leaseRows() []leaseRow
	notifyRows() []notifyRow
	close(what string) closeReply
	dump(ctx context.Context, w io.Writer) error
	backendRows() []backendRow
	duty(name, want string) dutyReply
}

// listenAdmin makes the unix socket, mode 0600 from its first moment on. A socket that a dead
// smbproxy left behind is replaced; one that somebody answers on is an error.
func listenAdmin(path string) (net.Listener, error) {
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = c.Close()
		return nil, fmt.Errorf("admin socket %s: another smbproxy is running there", path)
	} else if errors.Is(err, syscall.ECONNREFUSED) {
		if st, err := os.Lstat(path); err == nil && st.Mode().Type() == os.ModeSocket {
			if err := os.Remove(path); err != nil {
				return nil, fmt.Errorf("admin socket: %w", err)
			}
		}
	}
	// The socket is made beside its place and moved there once its mode is right.
	temp := fmt.Sprintf("%s.%d", path, os.Getpid())
	_ = os.Remove(temp)
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: temp, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	ln.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(temp, 0o600), os.Rename(temp, path)); err != nil {
		return nil, errors.Join(fmt.Errorf("admin socket: %w", err), ln.Close(), os.Remove(temp))
	}
	return &adminListener{ln, path}, nil
}

// adminListener removes the socket when it is closed: net would remove the name it was made under.
type adminListener struct {
	net.Listener
	path string
}

// Close stops listening.
func (l *adminListener) Close() error {
	err := l.Listener.Close()
	if err == nil {
		_ = os.Remove(l.path)
	}
	return err
}

// adminHandler serves the socket.
func adminHandler(src adminSource, reload func() reloadReply) http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v) // the asker is gone; nothing to do
	}
	for name, list := range map[string]func() any{
		"status":   func() any { return src.status() },
		"sessions": func() any { return src.sessionRows() },
		"opens":    func() any { return src.openRows() },
		"locks":    func() any { return src.lockRows() },
		"leases":   func() any { return src.leaseRows() },
		"notify":   func() any { return src.notifyRows() },
		"backends": func() any { return src.backendRows() },
	} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, _ *http.Request) { answer(w, list()) })
	}
	mux.HandleFunc("POST /close", func(w http.ResponseWriter, r *http.Request) { answer(w, src.close(r.URL.Query().Get("what"))) })
	mux.HandleFunc("GET /statedb", func(w http.ResponseWriter, r *http.Request) {
		_ = src.dump(r.Context(), w) // a backup without its end is none
	})
	mux.HandleFunc("GET /duty", func(w http.ResponseWriter, r *http.Request) { answer(w, src.duty(r.URL.Query().Get("backend"), "")) })
	mux.HandleFunc("POST /duty", func(w http.ResponseWriter, r *http.Request) {
		answer(w, src.duty(r.URL.Query().Get("backend"), r.URL.Query().Get("duty")))
	})
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, _ *http.Request) { answer(w, reload()) })
	return mux
}

// serveHTTP serves until ctx ends, then gives answers under way two seconds.
func serveHTTP(ctx context.Context, ln net.Listener, h http.Handler, log *slog.Logger) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	done := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		done <- srv.Shutdown(grace)
	})
	err := srv.Serve(ln)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	if !stop() {
		if late := <-done; late != nil {
			err = errors.Join(err, srv.Close())
		}
	}
	return err
}
