package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "vlog",
		Short: "Look into a vlog store, write to it, check and recover it",
		Long: `vlog works on a store: a directory that is a database.

The store is the first argument, or VLOG_STORE. Data goes to stdout, messages to
stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 conflict or
exists already, 5 damage, 6 locked, 7 incompatible, 8 not allowed, 9 done in part,
11 outcome unknown, 130 interrupted. Unknown codes are failures.`,
		Example: `  vlog init ./data
  vlog put ./data users/42 '{"name":"Alice"}'
  vlog get ./data users/42
  VLOG_STORE=./data vlog ls users/ --json`,
		SilenceUsage: true, SilenceErrors: true, Args: noMore("unknown verb"),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	a.addFlags(root)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usagef("%s", plainFlag(err)) })
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return a.checkFlags() }
	root.AddCommand(a.initCommand(), a.putCommand(), a.getCommand(), a.delCommand(), a.lsCommand(), a.applyCommand(), a.infoCommand(),
		a.statsCommand(), a.checkCommand(), a.recoverCommand(), a.compactCommand(), a.keepCommand(), a.tailCommand(), a.dumpCommand(), a.historyCommand(), a.importCommand(),
		a.backupCommand(), a.restoreCommand(), a.convertCommand(), a.versionCommand(), a.benchCommand(), a.manCommand(), a.demoCommand(), a.demoWriterCommand())
	for _, cmd := range root.Commands() {
		cmd.DisableFlagsInUseLine = true // each says itself where flags go
	}
	a.addCompletions(root)
	strict(root)
	return root
}

// addFlags adds the flags that every verb has.
func (a *app) addFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.BoolVar(&a.json, "json", false, "answer in JSON; errors too")
	f.BoolVar(&a.local, "local", false, "show times in local time instead of UTC")
	f.StringVarP(&a.tenant, "tenant", "t", or(a.getenv("VLOG_TENANT"), "main"), "tenant to work on (VLOG_TENANT)")
	f.StringVar(&a.color, "color", "auto", "auto, always or never (NO_COLOR, CLICOLOR_FORCE)")
	f.StringVar(&a.progress, "progress", "auto", "auto, json or never")
}

func (a *app) checkFlags() error {
	if !oneOf(a.color, "auto", "always", "never") {
		return usagef("--color is auto, always or never, not %q", a.color)
	}
	if !oneOf(a.progress, "auto", "json", "never") {
		return usagef("--progress is auto, json or never, not %q", a.progress)
	}
	return nil
}

// plainFlag is what is wrong with a flag, without the words of package strconv.
func plainFlag(err error) string {
	text, _, _ := strings.Cut(err.Error(), ": strconv.")
	return text
}

func oneOf(s string, all ...string) bool { return slices.Contains(all, s) }

// noMore refuses any argument, and says what it would have been.
func noMore(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usagef("%s %q", what, args[0])
		}
		return nil
	}
}

// strict makes help and completion, which cobra brings, fail for words that they
// do not know; by themselves they would show a help and succeed.
func strict(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Args = func(_ *cobra.Command, args []string) error { return knownHelp(root, args) }
		case "completion":
			cmd.Args = noMore("unknown shell")
			cmd.RunE = func(*cobra.Command, []string) error { return usagef("name the shell: bash, zsh, fish or powershell") }
		}
	}
}

// knownHelp refuses a topic that is no verb.
func knownHelp(root *cobra.Command, args []string) error {
	if cmd, _, err := root.Find(args); err != nil || (cmd == root && len(args) > 0) {
		return usagef("unknown verb %q", strings.Join(args, " "))
	}
	return nil
}
