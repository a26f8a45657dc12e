package main

import (
	"errors"
	"strings"

	"github.com/vlogdb/vlog/engine"
)

// valueHint is what to do about a value, or a batch with one, that is too large.
const valueHint = "key and value together take at most 64 MiB: split the value over several keys"

// explain puts an error of the engine into the words of the command line: where it
// happened, and a hint that names no part of the Go API.
func (f *failure) explain(err error, verb, store string) {
	e, ok := errors.AsType[*engine.Error](err)
	if !ok {
		return
	}
	if e.Err == engine.ErrNotStore {
		f.message = quoted(store) + ": not a vlog store" + whyNot(e)
	} else if e.At.Path != store && store != "" && strings.HasPrefix(f.message, e.Error()) {
		f.message = quoted(store) + ": " + f.message // what lies in a store is named relative to it
	}
	if hint := hintFor(e, verb); hint != "" {
		f.hint = hint
	}
}

// whyNot says what is there instead of a store.
func whyNot(e *engine.Error) string {
	switch {
	case errors.Is(e, engine.ErrNotFound):
		return ": there is no such directory"
	case errors.Is(e, engine.ErrNotRegular):
		return ": not a directory"
	case e.Detail != "":
		return ": " + e.Detail
	}
	return ""
}

// hintFor replaces the hints that speak to a program; empty where the error's own
// will do.
func hintFor(e *engine.Error, verb string) string {
	switch e.Err {
	case engine.ErrNotStore:
		return notStoreHint(e, verb)
	case engine.ErrTooLarge:
		return tooLargeHint(e)
	case engine.ErrCompacted:
		return compactedHint(e)
	case engine.ErrReadOnly:
		return "the file system is mounted read-only: mount it for writing, or copy the store elsewhere"
	case engine.ErrNoSpace:
		return "free some space and try again; nothing that was acknowledged is lost"
	case engine.ErrPoisoned, engine.ErrIO:
		if e.Hint != "" { // it is not the disk
			return ""
		}
		return "check the disk, then run it again: opening checks and repairs"
	case engine.ErrAmbiguous:
		return "look whether it is there before you try again"
	}
	return ""
}

// compactedHint tells what was asked for too late from what goes while it is read.
func compactedHint(e *engine.Error) string {
	switch {
	case e.Op == "backup" || e.Op == "restore": // they know what to do
		return ""
	case strings.HasPrefix(e.Detail, "the log is trimmed") || strings.HasPrefix(e.Detail, "it was dropped"):
		return "run it again, or let the store keep more: `vlog keep`"
	}
	return "ask for a later one; `vlog keep` says how far back a store reaches"
}

func notStoreHint(e *engine.Error, verb string) string {
	switch {
	case strings.Contains(e.Detail, "FORMAT, but"): // the rest of a store is there
		return "put FORMAT back from a backup; nothing was changed"
	case verb == "init":
		return "name an empty directory, or one that is not there yet"
	}
	return "name a directory made by `vlog init`, or make one with it"
}

// tooLargeHint tells by the detail what it was that is too large.
func tooLargeHint(e *engine.Error) string {
	switch {
	case strings.HasPrefix(e.Detail, "key "):
		return "a key takes at most 32 KiB: use a shorter one"
	case strings.HasPrefix(e.Detail, "documentation "):
		return "give a shorter --doc"
	case batchTooLarge(e):
		return valueHint
	}
	return ""
}

// batchTooLarge says whether it is the transaction as a whole that is too large.
func batchTooLarge(e *engine.Error) bool {
	return e.Err == engine.ErrTooLarge && strings.HasPrefix(e.Detail, "batch ")
}
