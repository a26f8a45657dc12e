// Package bench measures vlog beside the raw disk of the same run: run it with
// `go test -bench . ./...` in this directory. It is a module of its own, so that
// what it compares with weighs on nobody who embeds vlog.
package bench
