package main

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{Use: "man DIR [flags]", Short: "Write the manual pages into a directory",
		Long: `Write the manual pages, one for each verb, into a directory, which is made where it is not
there. They say what --help says.`,
		Example: `  vlog man ~/.local/share/man/man1
  vlog man . && man ./vlog-tail.1`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usagef("name the directory")
			}
			return a.man(cmd.Root(), args[0])
		}}
}

func (a *app) man(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root.DisableAutoGenTag = true
	date := built()
	header := &doc.GenManHeader{Section: "1", Source: "vlog", Manual: "vlog manual", Date: &date}
	if err := doc.GenManTree(root, header, dir); err != nil {
		return err
	}
	pages, err := filepath.Glob(filepath.Join(dir, "vlog*.1"))
	if err != nil {
		return err
	}
	if a.json {
		return a.line(map[string]any{"dir": dir, "pages": len(pages)})
	}
	return a.print("%d pages in %s", len(pages), quoted(dir))
}

// built is the date of the pages: that of the source, where it is known, so that equal
// versions write equal pages.
func built() time.Time {
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			if t, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
				return t
			}
		}
	}
	return time.Now()
}
