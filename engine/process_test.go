package engine_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/vlogdb/vlog/engine"
)

// asWriter is set for the process that writes, to the directory of its store.
const asWriter = "VLOG_TEST_WRITER"

// A writing process has so many goroutines, which write so often for each line that it
// reads.
const (
	processWriters = 4
	burst          = 30
)

// writeAndBeKilled writes a burst for each line on its input, rotates, compacts and
// recycles, and prints a line for each answer: writer, count, number of the batch. It
// closes the store where the input ends.
func writeAndBeKilled(dir string) {
	err := write(dir, os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	os.Exit(0)
}

func write(dir string, in io.Reader, out io.Writer) error {
	ctx := context.Background()
	db, err := engine.Open(ctx, dir, engine.Options{SegmentSize: 16 << 10, CheckpointAfter: 12 << 10, CheckpointRate: -1})
	if err != nil {
		return err
	}
	count := 0
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if err := writeBurst(ctx, db, out, count); err != nil {
			return err
		}
		count += burst
		if _, err := fmt.Fprintln(out, "done"); err != nil {
			return err
		}
	}
	return db.Close()
}

func writeBurst(ctx context.Context, db *engine.DB, out io.Writer, count int) error {
	errs := make([]error, processWriters)
	var all sync.WaitGroup
	for w := range processWriters {
		all.Go(func() {
			for i := count + 1; i <= count+burst && errs[w] == nil; i++ {
				var tx *engine.Tx
				errs[w] = db.Update(ctx, func(_ context.Context, t *engine.Tx) error {
					tx = t
					return errors.Join(t.Put(fmt.Appendf(nil, "w%d", w), fmt.Append(nil, i)), t.Put(fmt.Appendf(nil, "pad%d/%d", w, i%10), make([]byte, 100)))
				})
				if errs[w] == nil {
					_, errs[w] = fmt.Fprintln(out, w, i, tx.Seq())
				}
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// writing is a child process at work.
type writing struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	watch *chains
}

// chains are what a loop over Watch got: the chain value behind each batch, which
// commits to everything up to there.
type chains struct {
	mu   sync.Mutex // guards all
	all  []string   // from batch 1 on
	more chan struct{}
	err  error
}

func watchChains(ctx context.Context, db *engine.DB) (*chains, func()) {
	c := &chains{more: make(chan struct{}, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for b, err := range db.Watch(ctx, 1) {
			c.add(b, err)
		}
	}()
	return c, func() { <-done }
}

func (c *chains) add(b engine.Batch, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err != nil:
		c.err = err
	case b.Seq != uint64(len(c.all))+1:
		c.err = fmt.Errorf("got #%d behind #%d", b.Seq, len(c.all))
	default:
		c.all = append(c.all, b.Chain)
	}
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// reach waits until the loop has got a batch.
func (c *chains) reach(t *testing.T, seq uint64) {
	t.Helper()
	for {
		c.mu.Lock()
		n, err := len(c.all), c.err
		c.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		if uint64(n) >= seq {
			return
		}
		<-c.more
	}
}

func startWriting(t *testing.T, dir string, watch *chains) *writing {
	t.Helper()
	self, err := os.Executable()
	check(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), asWriter+"="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	check(t, err)
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	return &writing{t, cmd, in, bufio.NewReader(out), watch}
}

// burst asks for a burst and reads at most so many answers, each of which the reader
// must see at once. It returns the last batch answered.
func (w *writing) burst(db *engine.DB, answers int) (last uint64) {
	w.t.Helper()
	_, err := fmt.Fprintln(w.in)
	check(w.t, err)
	for range answers {
		line, err := w.out.ReadString('\n')
		check(w.t, err)
		if line == "done\n" {
			break
		}
		var id, n, seq uint64
		if _, err := fmt.Sscan(line, &id, &n, &seq); err != nil {
			w.t.Fatalf("the writer says %q: %v", line, err)
		}
		last = max(last, seq)
		e, err := db.Entry(w.t.Context(), fmt.Appendf(nil, "w%d", id))
		if err != nil || e.Seq < seq {
			w.t.Fatalf("batch %d was answered, and the reader finds that of %d %v", seq, e.Seq, err)
		}
	}
	return last
}

func (w *writing) kill() {
	w.t.Helper()
	check(w.t, w.cmd.Process.Kill())
	_ = w.in.Close()
	if err := w.cmd.Wait(); err == nil || w.cmd.ProcessState.ExitCode() == 3 {
		w.t.Fatalf("the writer ended by itself: %v", err)
	}
}

func (w *writing) close() {
	w.t.Helper()
	check(w.t, w.in.Close())
	check(w.t, w.cmd.Wait())
}

// TestFollowProcess follows another process that writes, rotates, compacts, uses files
// again, is killed and comes back: a reader sees each batch once it was answered, and
// a loop gets each once, in order, none that is not there in the end.
func TestFollowProcess(t *testing.T) {
	for _, codec := range []engine.Codec{engine.Binary, engine.NDJSON} {
		t.Run(codec.String(), func(t *testing.T) { followProcess(t, codec) })
	}
}

func followProcess(t *testing.T, codec engine.Codec) {
	dir := filepath.Join(t.TempDir(), "store")
	db, err := engine.Open(t.Context(), dir, engine.Options{Codec: codec, Keep: &engine.Keep{Checkpoints: 6}, CheckpointAfter: -1}) // a burst makes three
	check(t, errors.Join(err, db.Close()))
	reader, err := engine.Open(t.Context(), dir, engine.Options{ReadOnly: true})
	check(t, err)
	watch, ended := watchChains(t.Context(), reader)
	for round := range 9 {
		w := startWriting(t, dir, watch)
		for range round % 3 {
			watch.reach(t, w.burst(reader, processWriters*burst+1))
		}
		if round%4 == 3 {
			w.close()
			continue
		}
		last := w.burst(reader, 1+round*9)
		w.kill()
		watch.reach(t, last)
	}
	db, err = engine.Open(t.Context(), dir, engine.Options{CheckpointAfter: -1})
	check(t, err)
	info, err := db.Info(t.Context())
	check(t, err)
	watch.reach(t, info.Last)
	if info.First < 200 || len(info.Checkpoints) == 0 || len(watch.all) != int(info.Last) {
		t.Errorf("%+v; followed to %d", info, len(watch.all))
	}
	for b, err := range db.Batches(t.Context(), 0) {
		if check(t, err); watch.all[b.Seq-1] != b.Chain {
			t.Fatalf("batch %d is another than the one that was followed", b.Seq)
		}
	}
	check(t, errors.Join(db.Close(), reader.Close()))
	ended()
	want(t, "the end", watch.err, engine.ErrClosed)
	t.Logf("%d batches followed, the log begins at %d", info.Last, info.First)
}
