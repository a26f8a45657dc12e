package main

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
)

// completionsMax is how many keys or tenants completion offers.
const completionsMax = 200

// addCompletions completes the flags, and the store of verbs that take no key.
func (a *app) addCompletions(root *cobra.Command) {
	flags := map[string]cobra.CompletionFunc{
		"tenant":   a.completeTenants,
		"color":    cobra.FixedCompletions([]string{"auto", "always", "never"}, cobra.ShellCompDirectiveNoFileComp),
		"progress": cobra.FixedCompletions([]string{"auto", "json", "never"}, cobra.ShellCompDirectiveNoFileComp),
	}
	for name, fn := range flags {
		if err := root.RegisterFlagCompletionFunc(name, fn); err != nil {
			panic(err) // a flag that addFlags does not add
		}
	}
	for _, cmd := range root.Commands() {
		if cmd.ValidArgsFunction == nil && strings.Contains(cmd.Use, "DIR") {
			cmd.ValidArgsFunction = completerOf(cmd.Use)
		}
		if cmd.Flags().Lookup("codec") != nil {
			completeFlag(cmd, "codec", "binary", "ndjson")
		}
	}
}

// completeFlag offers words for a flag.
func completeFlag(cmd *cobra.Command, name string, words ...string) {
	if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // a flag that is not there
	}
}

// completerOf returns what completes the arguments of a verb, as its usage has them.
func completerOf(use string) cobra.CompletionFunc {
	switch {
	case strings.Contains(use, "DIR..."):
		return completeStores
	case strings.Contains(use, "DIR DEST"):
		return completeDirs
	case strings.Contains(use, "DIR FILE"):
		return completeStoreThenFile
	}
	return completeStore
}

// completeStores offers directories for every argument.
func completeStores(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// completeStoreThenFile offers files behind the store.
func completeStoreThenFile(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 1 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return completeStore(cmd, args, typed)
}

// completeStore offers directories for the first argument, and nothing behind it.
func completeStore(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// completeKeys offers keys of the store that begin as typed.
func (a *app) completeKeys(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	dir, at := a.getenv("VLOG_STORE"), 0
	if dir == "" && len(args) > 0 {
		dir, at = args[0], 1
	}
	if dir == "" {
		return completeStore(cmd, args, typed)
	}
	if len(args) != at {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return a.completeFrom(cmd.Context(), dir, func(db *engine.DB) ([]string, error) { return a.keysLike(cmd.Context(), db, typed) })
}

func (a *app) keysLike(ctx context.Context, db *engine.DB, typed string) (keys []string, err error) {
	s, err := a.scope(db)
	if err != nil {
		return nil, err
	}
	for e, err := range s.Scan(ctx, engine.Range{Prefix: []byte(typed)}) {
		if err != nil || len(keys) == completionsMax {
			return keys, err
		}
		if utf8.Valid(e.Key) && !strings.ContainsAny(string(e.Key), "\t\n") { // a tab begins a description
			keys = append(keys, string(e.Key))
		}
	}
	return keys, nil
}

// completeTenants offers the tenants that have keys.
func (a *app) completeTenants(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	dir := a.getenv("VLOG_STORE")
	if dir == "" && len(args) > 0 {
		dir = args[0]
	}
	if dir == "" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeFrom(cmd.Context(), dir, func(db *engine.DB) (names []string, err error) {
		for name, err := range db.Tenants(cmd.Context()) {
			if err != nil || len(names) == completionsMax {
				return names, err
			}
			if strings.HasPrefix(name, typed) {
				names = append(names, name)
			}
		}
		return names, nil
	})
}

// completeFrom asks a store. Where that fails, a locked store for example, there
// is nothing to offer, and nobody to tell why.
func (a *app) completeFrom(ctx context.Context, dir string, ask func(*engine.DB) ([]string, error)) (words []string, _ cobra.ShellCompDirective) {
	err := a.read(ctx, dir, func(db *engine.DB) (err error) {
		words, err = ask(db)
		return err
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}
