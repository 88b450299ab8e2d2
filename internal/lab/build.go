package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// Binary builds smbproxy once per process and returns its path; with the race detector when
// this process has it. SMBPROXY_BINARY in the environment names one that is built already.
var Binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("SMBPROXY_BINARY"); path != "" {
		return filepath.Abs(path)
	}
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
