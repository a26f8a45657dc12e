package checkpoint

import (
	"fmt"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// kinds are values that are spelled in each of the ways there are.
var kinds = map[string]func(i int) string{
	"json": func(i int) string {
		return fmt.Sprintf(`{"name":"Alice %d","mail":"alice%d@example.org","tags":["a","b"],"n":%d}`, i, i, i)
	},
	"text": func(i int) string {
		return fmt.Sprintf("Alice %d, who has mail at alice%d@example.org and likes plain text", i, i)
	},
	"quoted": func(i int) string {
		return fmt.Sprintf("\"Alice\" %d\n, who has mail at\talice%d@example.org é", i, i)
	},
	"bytes": func(i int) string {
		return fmt.Sprintf("\x00%d\xff, and about as many bytes as the others have \xfe%d", i, i)
	},
}

// many is a picture of 200,000 keys in two tenants.
func many(tb testing.TB, value func(i int) string) *state.Picture {
	e := state.NewEdit(state.Empty())
	for i := range 100 {
		b := batch.Batch{Counter: uint64(i + 1)}
		for j := range 2000 {
			tenant := []string{batch.Main, "acme"}[j/1000]
			key := fmt.Appendf(nil, "users/%08d", i*2000+j)
			b.Ops = append(b.Ops, batch.Op{Kind: batch.Put, Key: batch.AppendKey(nil, batch.KV, tenant, key), Value: []byte(value(j))})
		}
		e.Apply(&b, state.Position{Seq: batch.Seq(i + 1), Time: 1})
	}
	return e.Picture()
}

// BenchmarkCheckpoint writes, verifies and loads a checkpoint of 200,000 keys in memory;
// the bytes are those of the file.
func BenchmarkCheckpoint(b *testing.B) {
	for kind, value := range kinds {
		p := many(b, value)
		for _, codec := range []wal.Codec{wal.Binary, wal.NDJSON} {
			b.Run(fmt.Sprintf("%s/%v", kind, codec), func(b *testing.B) { benchmark(b, Image{ours, p, codec}) })
		}
	}
}

func benchmark(b *testing.B, img Image) {
	m := dirOnly(b)
	sum, err := Write(m, Backup, img, nil)
	check(b, err)
	for name, do := range map[string]func() error{
		"write":  func() error { _, err := img.writeTo(nowhere{}, nil); return err },
		"verify": func() error { _, err := Verify(m, Backup, ours); return err },
		"load":   func() error { _, _, err := Load(m, Backup, ours); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(sum.Size)
			for b.Loop() {
				check(b, do())
			}
			b.ReportMetric(float64(sum.Entries)*float64(b.N)/b.Elapsed().Seconds(), "keys/s")
		})
	}
}

// nowhere is a file that forgets what is written.
type nowhere struct{ vfs.File }

func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
