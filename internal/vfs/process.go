package vfs

import (
	"os"
	"path/filepath"
	"strings"
)

// Process names this process for others: its number, its program and the host.
// What the system does not tell is "unknown".
func Process() (pid int, program, host string) {
	program, host = "unknown", "unknown"
	if len(os.Args) > 0 && os.Args[0] != "" {
		program = filepath.Base(os.Args[0])
	}
	if name, err := os.Hostname(); err == nil && name != "" {
		host = name
	}
	return os.Getpid(), program, host
}

// Machine returns a text that stays the same on this machine: its machine id
// where it has one, else its host name.
func Machine() string {
	if id, err := os.ReadFile("/etc/machine-id"); err == nil {
		if text := strings.TrimSpace(string(id)); text != "" {
			return text
		}
	}
	_, _, host := Process()
	return host
}
