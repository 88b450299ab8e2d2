package lab

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// Binary builds smbproxy once per process and returns its path; with the race detector when
// this process has it. SMBPROXY_BINARY in the environment names one that is built already; it
// is copied, because smbproxy's user may not be let into the directory where it lies.
var Binary = sync.OnceValues(func() (string, error) {
	g, err := theGuard()
	if err != nil {
		return "", err
	}
	root, err := ModuleRoot()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "smbproxy-bin-")
	if err != nil {
		return "", err
	}
	g.tell("remove", dir) // when this process ends: every lab of it shares the binary
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "smbproxy")
	if built := os.Getenv("SMBPROXY_BINARY"); built != "" {
		if !filepath.IsAbs(built) {
			built = filepath.Join(root, built)
		}
		return path, copyProgram(path, built)
	}
	args := []string{"build", "-o", path}
	if raceEnabled {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "./smbproxy")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build smbproxy: %w\n%s", err, out)
	}
	return path, nil
})

// copyProgram copies an executable file.
func copyProgram(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// ModuleRoot is the directory of go.mod above the working directory (a test's is its package).
func ModuleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(text), "module smbproxy\n") {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", errors.New("the working directory is not inside smbproxy's source")
		}
		dir = filepath.Dir(dir)
	}
}
