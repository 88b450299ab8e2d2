package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// adminTimeout bounds one question. A reload reads files and must not be cut short.
const adminTimeout = 30 * time.Second

// maxAdminReply bounds an answer: 100,000 opens have about 60 MB.
const maxAdminReply = 1 << 30

// adminSocketPath is the socket of the smbproxy that runs with this configuration.
func adminSocketPath(flag, configFile string) string {
	if flag != "" {
		return flag
	}
	return looseGlobal(configFile).AdminSocket
}

// askAdmin puts one question to the running smbproxy and returns the body of its answer.
func askAdmin(ctx context.Context, socket, method, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	req, err := http.NewRequestWithContext(ctx, method, "http://smbproxy"+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%s: only root and the user that smbproxy runs as may ask it", socket)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("no smbproxy is running at %s", socket)
	case err != nil:
		return nil, fmt.Errorf("asking smbproxy at %s: %w", socket, errors.Unwrap(err))
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAdminReply))
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return body, fmt.Errorf("smbproxy at %s answers %s: %s", socket, res.Status, bytes.TrimSpace(body))
	}
	return body, nil
}

// adminFlags are the flags of every command that asks a running smbproxy.
type adminFlags struct {
	socket string
	json   bool
}

func (f *adminFlags) add(cmd *cobra.Command, withJSON bool) {
	cmd.Flags().StringVar(&f.socket, "socket", "", "admin `socket` of the running smbproxy (default: as the configuration says)")
	if withJSON {
		cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
	}
}

// show asks, and prints the answer as JSON or through write.
func show[T any](cmd *cobra.Command, f *adminFlags, configFile, path string, write func(w io.Writer, v T) error) error {
	body, err := askAdmin(cmd.Context(), adminSocketPath(f.socket, configFile), http.MethodGet, path)
	if err != nil {
		return err
	}
	if f.json {
		return indented(cmd.OutOrStdout(), body)
	}
	var v T
	if err := json.Unmarshal(body, &v); err != nil {
		return fmt.Errorf("the answer of smbproxy is not understood: %w", err)
	}
	return write(cmd.OutOrStdout(), v)
}

// indented prints JSON for people too.
func indented(w io.Writer, body []byte) error {
	var out bytes.Buffer
	if err := json.Indent(&out, body, "", "  "); err != nil {
		return err
	}
	_, err := out.WriteTo(w)
	return err
}
