package fuzz

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

var update = flag.Bool("update", false, "write the golden files again")

// TestTrace: which operations on the disk each deed of a store takes, and in what order, is
// its promise, and text under review: testdata/trace/<codec>-<deed>.txt.
func TestTrace(t *testing.T) { both(t, trace) }

func trace(t *testing.T, codec engine.Codec) {
	for _, deed := range deeds {
		t.Run(deed.name, func(t *testing.T) {
			r := &traced{T: t, codec: codec, mem: vfs.NewMem(vfs.MemOptions{Track: true})}
			deed.do(r)
			got := "# " + deed.seen + "\n" + r.lines()
			path := filepath.Join("testdata", "trace", codec.String()+"-"+deed.name+".txt")
			if *update {
				r.check(os.WriteFile(path, []byte(got), 0o644))
			}
			want, err := os.ReadFile(path)
			r.check(err)
			if got != string(want) {
				t.Errorf("%s is not what was done (-update writes it again):\n%s", path, got)
			}
		})
	}
}

// begins is the line of a trace behind which the deed begins.
const begins = "begins"

// lines returns what was done behind the last mark, and leaves out what differs by machine:
// the line in LOCK names its host, and batches name who wrote them.
func (r *traced) lines() string {
	text := presentNames(r.trace.String())
	if i := strings.LastIndex(text, begins+"\n"); i >= 0 {
		text = text[i+len(begins)+1:]
	}
	text = regexp.MustCompile(`(?m)^(setlock LOCK|read LOCK) .*$`).ReplaceAllString(text, "$1 …")
	return regexp.MustCompile(`-[0-9a-f]{16}\b`).ReplaceAllString(text, "-DIGEST")
}

// presentNames calls an open file by the name that it has by now, where it was renamed.
func presentNames(text string) string {
	var out []string
	now := map[string]string{}
	for line := range strings.Lines(text) {
		w := strings.Fields(line)
		name := now[w[min(1, len(w)-1)]]
		switch {
		case w[0] == "create":
			delete(now, w[1])
		case w[0] == "rename":
			now[w[1]] = w[2]
		case name != "":
			line = strings.Replace(line, w[1], name, 1)
		}
		out = append(out, line)
	}
	return strings.Join(out, "")
}

// deeds are what a store does, each with what is seen in its trace.
var deeds = []struct {
	name, seen string
	do         func(r *traced)
}{
	{"create", "A store is made: the lock first, log/, FORMAT by replacement last; each name synced before the next thing rests on it.",
		func(r *traced) { r.open(r.options()) }},
	{"first-write", "The first batch: a segment made as a spare, with its header synced, and named; the group at its first place, synced; then log/durable.",
		func(r *traced) { r.open(r.options()); r.begin(); r.put("one", 1) }},
	{"group", "One write is held at its sync while three more come: those go together, with one write and one sync.",
		(*traced).group},
	{"rotate", "The segment is full, nothing was made ahead: the next file is made and synced, then the old one sealed, then the new one named.",
		func(r *traced) { r.rotate(r.options()) }},
	{"rotate-grown", "The same where zeros are written ahead of the end (for lines: a file of zeros beside them keeps the room).",
		func(r *traced) { opts := r.options(); opts.NoPrepare = false; r.rotate(opts) }},
	{"prepare", "A file is made ahead in the background: zeros and syncs under the name of a spare; the segment's name comes later. Lines need none.",
		func(r *traced) { r.open(r.ahead()); r.begin(); r.put("one", 1); r.spared() }},
	{"rotate-prepared", "The segment is full and a spare is there: its header is written, the old segment sealed, the spare renamed; then the next one is made. Lines make the file now.",
		func(r *traced) {
			r.open(r.ahead())
			r.put("one", 1)
			r.spared()
			r.begin()
			r.put("big", big)
			r.spared()
		}},
	{"promote", "A checkpoint: the log sealed; backup written, synced, verified; the flag raised; the rename; the flag removed. Nothing is dropped yet.",
		func(r *traced) { r.open(r.options()); r.put("one", 1); r.begin(); r.checkpoint() }},
	{"promote-drop", "The third checkpoint: behind the rename the segment that ends at the one before goes, then the checkpoint below that.",
		(*traced).dropping},
	{"cut", "Opening finds a torn tail: its bytes kept in error/ first, truncate and truncate_flag raised, the cut, the flags down, the seal.",
		(*traced).torn},
	{"no-space-write", "The disk is full in the middle of a group: the segment is shortened to the start of the group, and that synced, before ErrNoSpace is answered.",
		(*traced).noSpace},
	{"no-space-rotate", "There is no room for the next segment: the half-made file goes, the old segment stays as it is; then a small batch is written.",
		(*traced).noRoom},
	{"close", "A clean close: the seal, the end of the file, log/durable removed, and last the line in LOCK that tells how far the log reaches.",
		func(r *traced) { r.open(r.options()); r.put("one", 1); r.begin(); r.close() }},
	{"reopen", "Opening after a clean close, reads included: what is there is proven, so only log/durable and LOCK are written.",
		func(r *traced) { r.closed(); r.trace.Reads = true; r.open(r.options()) }},
	{"read-only", "A read-only opening and closing after a clean close: no lock, and nothing is written.",
		func(r *traced) {
			r.closed()
			r.trace.Reads = true
			opts := r.options()
			opts.ReadOnly = true
			r.open(opts)
			r.close()
		}},
}

// traced is a store whose disk operations are recorded.
type traced struct {
	*testing.T
	codec engine.Codec
	mem   *vfs.Mem
	db    *engine.DB
	trace vfs.Trace
	inj   vfs.InjectorFunc // what fails or waits; nil: nothing
}

// big is the size of a value for which a segment that holds anything has no room.
const big = 3000

func (r *traced) check(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// begin marks where the deed begins: only what follows is looked at.
func (r *traced) begin() { r.trace.Note(begins) }

func (r *traced) options() engine.Options {
	opts := small(r.codec, 1)
	opts.SegmentSize = 4 << 10
	return opts
}

// ahead are options under which files are made ahead in the background.
func (r *traced) ahead() engine.Options {
	opts := r.options()
	opts.NoPrepare, opts.CheckpointAfter = false, 1<<60
	return opts
}

func (r *traced) open(opts engine.Options) {
	r.Helper()
	fail := vfs.NewFail(r.mem.Reopen(), vfs.InjectorFunc(func(op vfs.Op) error {
		if r.inj == nil {
			return nil
		}
		return r.inj(op)
	}))
	db, err := engine.OpenFS(r.Context(), vfs.NewLog(fail, r.trace.Record), opts)
	r.check(err)
	r.db = db
	r.Cleanup(func() { _ = db.Close() }) // a second Close of some
}

func (r *traced) put(key string, n int) {
	r.Helper()
	r.check(r.db.Put(r.Context(), []byte(key), make([]byte, n)))
}

func (r *traced) close() {
	r.Helper()
	r.check(r.db.Close())
}

func (r *traced) checkpoint() {
	r.Helper()
	_, err := r.db.Checkpoint(r.Context())
	r.check(err)
}

// spared waits until a file was made ahead, where the codec has such.
func (r *traced) spared() {
	for r.codec == engine.Binary && r.db.Stats().Spares == 0 {
		runtime.Gosched()
	}
}

// rotate fills a segment and writes one batch more.
func (r *traced) rotate(opts engine.Options) {
	r.open(opts)
	r.put("one", 1)
	r.begin()
	r.put("big", big)
}

// closed is a store with a checkpoint and a log behind it, closed clean.
func (r *traced) closed() {
	r.open(r.options())
	r.put("one", 1)
	r.checkpoint()
	r.put("two", 2)
	r.close()
	r.begin()
}

// group holds one write at its sync until three more have their place in order.
func (r *traced) group() {
	r.open(r.options())
	r.put("one", 1)
	r.begin()
	held, goOn := make(chan struct{}), make(chan struct{})
	first := true
	r.inj = func(op vfs.Op) error {
		if op.Kind == vfs.OpSync && first {
			first = false
			close(held)
			<-goOn
		}
		return nil
	}
	alone := make(chan error)
	go func() { alone <- r.db.Put(r.Context(), []byte("alone"), nil) }()
	<-held
	var all []*engine.Pending
	for _, key := range []string{"a", "b", "c"} {
		p, err := r.db.Submit(r.Context(), func(_ context.Context, tx *engine.Tx) error { return tx.Put([]byte(key), nil) })
		r.check(err)
		all = append(all, p)
	}
	close(goOn)
	r.check(<-alone)
	for _, p := range all {
		_, err := p.Wait(r.Context())
		r.check(err)
	}
}

// dropping writes three checkpoints, the last of which lets files go.
func (r *traced) dropping() {
	r.open(r.options())
	for _, key := range []string{"one", "two", "three"} {
		r.put(key, 3)
		r.begin()
		r.checkpoint()
	}
}

// torn opens a disk that a power cut left with half a group.
func (r *traced) torn() {
	r.open(r.options())
	r.put("one", 1)
	var left *vfs.Disk
	r.mem.OnOp(func(op vfs.Op) {
		if op.Kind == vfs.OpWrite && strings.Contains(op.Name, "spare") {
			left = r.mem.Snapshot()
		}
	})
	r.put("two", 900)
	r.mem.OnOp(nil)
	var torn *vfs.Mem
	left.Images(vfs.Torn, 1000, func(img *vfs.Image) bool {
		db, err := engine.OpenFS(r.Context(), img.Mem(false), r.options())
		r.check(err)
		if db.Report().Cut != nil {
			torn = img.Mem(true)
		}
		r.check(db.Close())
		return torn == nil
	})
	if torn == nil {
		r.Fatal("no image has a torn tail")
	}
	r.mem = torn
	r.begin()
	r.open(r.options())
}

// noSpace lets the second half of a group find no space.
func (r *traced) noSpace() {
	r.open(r.options())
	r.put("one", 1)
	r.begin()
	full := vfs.When(vfs.OnKind(vfs.OpWrite), vfs.Nth(1, vfs.Short(engine.ErrNoSpace)))
	r.inj = full.Fail
	if err := r.db.Put(r.Context(), []byte("two"), make([]byte, 900)); !errors.Is(err, engine.ErrNoSpace) {
		r.Errorf("put on a full disk: %v", err)
	}
	r.put("three", 3)
}

// noRoom lets the making of the next segment find no space.
func (r *traced) noRoom() {
	r.open(r.options())
	r.put("one", 1)
	r.begin()
	full := vfs.When(vfs.OnKind(vfs.OpWrite), vfs.Nth(1, engine.ErrNoSpace))
	r.inj = full.Fail
	if err := r.db.Put(r.Context(), []byte("big"), make([]byte, big)); !errors.Is(err, engine.ErrNoSpace) {
		r.Errorf("put on a full disk: %v", err)
	}
	r.put("three", 3)
}
