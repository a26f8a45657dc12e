package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/vlogdb/vlog/engine"
)

// killer kills a writer and checks what it left.
type killer struct {
	codec   engine.Codec // of the store
	dir     string
	command []string
	env     []string
	pause   func() time.Duration // how long the writer may work

	acked []uint64 // by writer: the last counter acknowledged
	total uint64   // acknowledgements
	cuts  int      // torn tails that recovery cut
	last  uint64   // last batch seen
}

// loop lets the writer work for a moment, kills it, and checks the store.
func (k *killer) loop(ctx context.Context) error {
	child := exec.CommandContext(ctx, k.command[0], k.command[1:]...)
	child.Stderr = os.Stderr
	child.Env = append(os.Environ(), k.env...)
	out, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return err
	}
	killed := make(chan error, 1)
	stop := time.AfterFunc(k.pause(), func() { killed <- child.Process.Kill() })
	if err := k.readAcks(out); err != nil {
		return errors.Join(err, child.Process.Kill(), child.Wait())
	}
	if stop.Stop() {
		return errors.Join(errors.New("the writer ended before it was to be killed"), child.Wait())
	}
	if err := errors.Join(<-killed, wasKilled(child)); err != nil {
		return err
	}
	return k.check(ctx)
}

// anyPause is long enough to come into the middle of opening or of writing.
func anyPause() time.Duration { return time.Duration(20+rand.IntN(180)) * time.Millisecond }

// wasKilled waits for the writer's end and says what is wrong where that was not
// the kill. A writer that fails by itself says so by writerFailed; it must not pass
// for one that was killed.
func wasKilled(child *exec.Cmd) error {
	err := child.Wait()
	if err == nil {
		return errors.New("the writer ended by itself")
	}
	if code := child.ProcessState.ExitCode(); code == writerFailed || code == goPanicked {
		return fmt.Errorf("the writer failed: %w", err)
	}
	return nil
}

// Exit codes of a writer that was not killed.
const (
	goPanicked   = 2
	writerFailed = 3
)

// readAcks notes what the writer acknowledges until the pipe ends. A line that the
// kill cut short was not acknowledged.
func (k *killer) readAcks(out io.Reader) error {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := k.ack(strings.TrimSpace(line)); err != nil {
			return err
		}
	}
}

// ack notes one line.
func (k *killer) ack(line string) error {
	var w int
	var n uint64
	if _, err := fmt.Sscanf(line, "%d %d", &w, &n); err != nil || w < 0 || w >= len(k.acked) {
		return fmt.Errorf("the writer printed %q", line)
	}
	if n <= k.acked[w] {
		return fmt.Errorf("writer %d counted %d after %d was acknowledged", w, n, k.acked[w])
	}
	k.acked[w] = n
	k.total++
	return nil
}

// check opens the store as the next program would.
func (k *killer) check(ctx context.Context) (err error) {
	db, err := engine.Open(ctx, k.dir, engine.Options{Codec: k.codec, CheckpointAfter: -1}) // which makes it, where the writer was killed before it could
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	r := db.Report()
	if r.Cut != nil {
		k.cuts++
	}
	if uint64(r.Last) < k.last {
		return fmt.Errorf("the log ends at #%d, it ended at #%d before", r.Last, k.last)
	}
	k.last = uint64(r.Last)
	for w := range k.acked {
		if err := k.checkWriter(ctx, db, w); err != nil {
			return err
		}
	}
	return k.goesOn(ctx, db)
}

// checkWriter checks what one writer left: at most one step more than acknowledged,
// both keys alike, and each of its newest items.
func (k *killer) checkWriter(ctx context.Context, db *engine.DB, w int) error {
	left, err := counter(db.Get(ctx, leftKey(w)))
	if err != nil {
		return err
	}
	right, err := counter(db.Get(ctx, rightKey(w)))
	if err != nil {
		return err
	}
	if left != right {
		return fmt.Errorf("writer %d: half a transaction: left is %d, right is %d", w, left, right)
	}
	if left < k.acked[w] {
		return fmt.Errorf("writer %d: %d was acknowledged, %d is there", w, k.acked[w], left)
	}
	if left > k.acked[w]+1 {
		return fmt.Errorf("writer %d: %d is there, only %d was acknowledged and one more asked for", w, left, k.acked[w])
	}
	k.acked[w] = left
	return checkItems(ctx, db, w, left)
}

func checkItems(ctx context.Context, db *engine.DB, w int, n uint64) error {
	want := n - min(n, keepItems)
	for e, err := range db.Scan(ctx, engine.Range{Prefix: fmt.Appendf(nil, "item/%04d/", w)}) {
		if err != nil {
			return err
		}
		want++
		if string(e.Key) != string(itemKey(w, want)) || string(e.Value) != fmt.Sprint(want) {
			return fmt.Errorf("writer %d: found %s = %s where item %d belongs", w, e.Key, e.Value, want)
		}
	}
	if want != n {
		return fmt.Errorf("writer %d: the items end at %d, the counter is %d", w, want, n)
	}
	return nil
}

// goesOn checks that the store takes writes and that their numbers have no gap.
func (k *killer) goesOn(ctx context.Context, db *engine.DB) error {
	if err := db.Put(ctx, []byte("checked"), nil); err != nil {
		return err
	}
	e, err := db.Entry(ctx, []byte("checked"))
	if err != nil {
		return err
	}
	if e.Seq != k.last+1 {
		return fmt.Errorf("the first write after #%d got #%d", k.last, e.Seq)
	}
	k.last = e.Seq
	return nil
}
