//go:build amd64 || arm64

package state

// A prefetch asks for memory and does not wait for it. Many at once take hardly longer
// than one, where reading would wait for each. It changes nothing, and memory behind the
// end of an object may be asked for.

// prefetchLeaf asks for a leaf.
//
//go:noescape
func prefetchLeaf(l *leaf)

// prefetchEntries asks for the beginning of n entries.
//
//go:noescape
func prefetchEntries(at *[leafMax]*byte, n int)
