package vfs

// Model is a way for unsynced changes to get lost. The zero value is not valid.
type Model uint8

// The models, from mild to wild.
const (
	// Kill ends the process alone: nothing is lost and the boot stays, but what
	// was not durable is not durable after it either.
	Kill Model = iota + 1
	// Lost keeps what was synced and nothing else.
	Lost
	// Kept keeps everything, and has it durable.
	Kept
	// Torn keeps everything before the last pending write, and of that one a part:
	// its head or its tail, cut at any sector and, in sectors that were never
	// written, at some bytes; the size grown as far as the head, or in full. All
	// names are kept, or no pending one.
	Torn
	// Reordered keeps any sectors of any pending writes and any pending changes of
	// names, each for itself. A sector that has content is old or new, in any
	// version that the page cache had of it; one that was never written may also
	// be zero or garbage.
	Reordered
	// Zeroed keeps names and sizes, but no data: what was never written is zero.
	Zeroed
	// Garbage keeps names and sizes, but no data: what was never written is
	// garbage. Sizes are kept in full or grown in part only.
	Garbage
	// Clean is what a failed sync leaves: the pages it gave up (see DropDirty)
	// are on the disk or not, each for itself; what came later is kept or lost.
	Clean
)

// Models returns all models.
func Models() []Model {
	return []Model{Kill, Lost, Kept, Torn, Reordered, Zeroed, Garbage, Clean}
}

// String returns the name of the model.
func (m Model) String() string {
	names := [...]string{"none", "kill", "lost", "kept", "torn", "reordered", "zeroed", "garbage", "clean"}
	if int(m) >= len(names) {
		return "unknown"
	}
	return names[m]
}
