package state

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/vlogdb/vlog/internal/batch"
)

// TestEntryBytes: entries come back from their bytes one behind the other, and the bytes
// are those that the arena has.
func TestEntryBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var image []byte
		var all []Entry
		for range rapid.IntRange(0, 5).Draw(t, "n") {
			e := Entry{Key: rapid.SliceOf(rapid.Byte()).Draw(t, "key"), Value: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "value"), Seq: batch.Seq(rapid.Uint64().Draw(t, "seq"))}
			from := len(image)
			image = AppendEntry(image, e)
			written := make([]byte, entrySize(e.Key, e.Value, e.Seq))
			if writeEntry(written, e); !bytes.Equal(image[from:], written) {
				t.Fatalf("%+v: %x, in the arena %x", e, image[from:], written)
			}
			all = append(all, e)
		}
		for _, want := range all {
			e, size := FirstEntry(image)
			if !bytes.Equal(e.Key, want.Key) || !bytes.Equal(e.Value, want.Value) || e.Seq != want.Seq {
				t.Fatalf("%+v comes back as %+v", want, e)
			}
			image = image[size:]
		}
		if len(image) > 0 {
			t.Fatalf("%d bytes left", len(image))
		}
	})
}
