package engine_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// TestCheckpointOfLines: a store whose codec is NDJSON has checkpoints of lines, which are
// all that is left where the log before them went; the plan knows about how large they are.
func TestCheckpointOfLines(t *testing.T) {
	opts := quiet
	opts.Codec, opts.Keep = engine.NDJSON, &engine.Keep{Checkpoints: 1}
	m := tracked()
	db := open(t, m, opts)
	values := map[string]string{"json": `{"name":"Alice"}`, "text": "good day", "bytes": "\x00\xff", "key \xff": "", "é": "1 "}
	for k, v := range values {
		put(t, db, k, v)
	}
	for i := range 2000 {
		put(t, db, fmt.Sprintf("many/%d", i), strings.Repeat("x", i%50))
	}
	plan, err := db.PlanCheckpoint(t.Context())
	check(t, err)
	res, err := db.Checkpoint(t.Context())
	check(t, err)
	if plan.Keys != int(res.Keys) || plan.Bytes < res.Bytes || plan.Bytes > res.Bytes*11/10 {
		t.Errorf("planned %+v, done %+v", plan, res)
	}
	text := slurp(t, m, fmt.Sprintf("log/checkpoint-%020d", res.Seq))
	for line := range bytes.Lines(text) {
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	if n := int64(len(text)); n != res.Bytes || !bytes.Contains(text, []byte(`"v":{"name":"Alice"},`)) {
		t.Errorf("%d bytes, told %d", n, res.Bytes)
	}
	check(t, db.Close())
	db = open(t, m.Reopen(), quiet)
	for k, v := range values {
		if got := value(t, db, k); got != v {
			t.Errorf("%q: %q, was %q", k, got, v)
		}
	}
	if info, err := db.Info(t.Context()); err != nil || info.Segments != 0 {
		t.Errorf("%+v, %v", info, err)
	}
}

func slurp(t *testing.T, m *vfs.Mem, name string) []byte {
	t.Helper()
	f, err := m.Open(name, vfs.ReadOnly)
	check(t, err)
	st, err := f.Stat()
	check(t, err)
	b := make([]byte, st.Size)
	_, err = f.ReadAt(b, 0)
	check(t, err)
	check(t, f.Close())
	return b
}
