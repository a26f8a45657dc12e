// Package vlog is the root of the module github.com/vlogdb/vlog, an embedded
// database that keeps an append-only log. It exports nothing: embedders import
// package [github.com/vlogdb/vlog/engine], and vlogtest in their tests.
//
// Where to begin reading: README.md tells what it is, docs/DESIGN.md how it is
// built, docs/FORMAT.md draws every byte on disk, docs/CRASH.md says what opening
// does after any stop. The tests of this package check the house itself: which
// package may import which, what the documents name, how long things may be.
package vlog
