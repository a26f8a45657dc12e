package vfs

import (
	"path"
	"slices"
)

// OnKind matches operations of some kinds.
func OnKind(kinds ...OpKind) func(op Op) bool {
	return func(op Op) bool { return slices.Contains(kinds, op.Kind) }
}

// OnChange matches operations that change the disk, or what is durable on it.
func OnChange() func(op Op) bool {
	return func(op Op) bool {
		return !op.Kind.Reads() && op.Kind != OpLock && op.Kind != OpUnlock
	}
}

// OnPath matches operations whose name matches a pattern of path.Match, with
// both names of a rename. A malformed pattern matches nothing.
func OnPath(pattern string) func(op Op) bool {
	match := func(name string) bool {
		ok, err := path.Match(pattern, name)
		return err == nil && ok
	}
	return func(op Op) bool {
		return match(op.Name) || op.NewName != "" && match(op.NewName)
	}
}

// Both matches what all of several match.
func Both(match ...func(op Op) bool) func(op Op) bool {
	return func(op Op) bool {
		return !slices.ContainsFunc(match, func(m func(op Op) bool) bool { return !m(op) })
	}
}
