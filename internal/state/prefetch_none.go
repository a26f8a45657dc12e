//go:build !(amd64 || arm64)

package state

func prefetchLeaf(*leaf) {}

func prefetchEntries(*[leafMax]*byte, int) {}
