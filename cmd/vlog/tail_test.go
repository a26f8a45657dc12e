package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/vlogdb/vlog/engine"
)

// tailed is a `vlog tail -f --json` at work in a process of its own.
type tailed struct {
	ts   *testscript.TestScript
	cmd  *exec.Cmd
	errs bytes.Buffer

	mu   sync.Mutex // guards what follows
	seqs []uint64
	keys []string
	bad  error
	done chan struct{}
}

func startTail(ts *testscript.TestScript, args ...string) *tailed {
	t := &tailed{ts: ts, cmd: command(ts, append([]string{"vlog", "tail"}, args...)), done: make(chan struct{})}
	t.cmd.Stderr = &t.errs
	out, err := t.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(t.cmd.Start())
	go t.read(out)
	return t
}

func (t *tailed) read(out io.Reader) {
	defer close(t.done)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var e struct {
			Seq uint64
			Key string
		}
		err := json.Unmarshal(lines.Bytes(), &e)
		t.mu.Lock()
		t.seqs, t.keys, t.bad = append(t.seqs, e.Seq), append(t.keys, e.Key), firstError(t.bad, err)
		t.mu.Unlock()
	}
}

// reached waits until a batch was told; a minute is against hanging.
func (t *tailed) reached(seq uint64) {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		t.mu.Lock()
		n := len(t.seqs)
		there := n > 0 && t.seqs[n-1] >= seq
		t.mu.Unlock()
		if there {
			return
		}
		select {
		case <-t.done:
			t.ts.Fatalf("tail ended before #%d: %s", seq, &t.errs)
		default:
		}
	}
	t.ts.Fatalf("tail has not told #%d", seq)
}

// end interrupts the tail and checks that it told every batch up to last once, in order.
func (t *tailed) end(last uint64, keys map[uint64]string) {
	t.reached(last)
	t.ts.Check(t.cmd.Process.Signal(os.Interrupt))
	<-t.done
	if got := exitCode(t.cmd.Wait()); got != 130 || t.bad != nil {
		t.ts.Fatalf("exit code %d, %v: %s", got, t.bad, &t.errs)
	}
	for i, seq := range t.seqs {
		if seq != uint64(i)+1 || keys[seq] != "" && keys[seq] != t.keys[i] {
			t.ts.Fatalf("line %d is of #%d, %s", i+1, seq, t.keys[i])
		}
	}
	if uint64(len(t.seqs)) != last {
		t.ts.Fatalf("%d lines, not %d", len(t.seqs), last)
	}
}

// followed lets `vlog tail -f` follow a store while this process and others write,
// rotate, compact, are killed and come back: followed DIR.
func followed(ts *testscript.TestScript, _ bool, args []string) {
	dir := args[0]
	keys := map[uint64]string{}
	t := startTail(ts, dir, "-f", "--json")
	for round := range 3 {
		last := writeHere(ts, t, dir, keys)
		t.reached(last)
		last = writeThere(ts, dir, fmt.Sprint("killed", round), keys, round != 1)
		t.reached(last)
		ts.Check(command(ts, []string{"vlog", "compact", dir}).Run())
	}
	db, err := engine.Open(context.Background(), ts.MkAbs(dir), engine.Options{})
	ts.Check(err)
	last := db.Durable()
	ts.Check(db.Close())
	t.end(last, keys)
}

// writeHere writes with small segments and checkpoints in between; what was
// acknowledged is seen by another process that looks afterwards.
func writeHere(ts *testscript.TestScript, t *tailed, dir string, keys map[uint64]string) (last uint64) {
	ctx := context.Background()
	db, err := engine.Open(ctx, ts.MkAbs(dir), engine.Options{SegmentSize: 8 << 10, CheckpointAfter: 32 << 10})
	ts.Check(err)
	for i := range 120 {
		key := fmt.Sprint("here", i)
		ts.Check(db.Put(ctx, []byte(key), bytes.Repeat([]byte("v"), 1000)))
		last = db.Durable()
		keys[last] = key
		if i%40 == 0 {
			ts.Check(command(ts, []string{"vlog", "get", dir, key}).Run())
			t.reached(last)
		}
		if i%50 == 49 {
			t.reached(last)
			_, err := db.Checkpoint(ctx)
			ts.Check(err)
		}
	}
	ts.Check(db.Close())
	return last
}

// writeThere lets `vlog apply` write until it is killed, or to its end, and returns the
// newest batch that the store has then.
func writeThere(ts *testscript.TestScript, dir, name string, keys map[uint64]string, kill bool) (last uint64) {
	cmd := command(ts, []string{"vlog", "apply", dir, "--batch", "1"})
	in, err := cmd.StdinPipe()
	ts.Check(err)
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	go func() {
		for i := 0; kill || i < 60; i++ {
			if _, err := fmt.Fprintf(in, `{"op":"put","key":"%s-%d","value":%d}`+"\n", name, i, i); err != nil {
				break // it was killed
			}
		}
		_ = in.Close() // the same
	}()
	acks := bufio.NewScanner(out)
	for n := 0; acks.Scan(); n++ {
		num, _, _ := strings.Cut(strings.TrimPrefix(acks.Text(), "#"), " ")
		seq, err := strconv.ParseUint(num, 10, 64)
		ts.Check(err)
		keys[seq], last = fmt.Sprintf("%s-%d", name, n), seq
		if kill && n == 20 {
			ts.Check(cmd.Process.Kill())
		}
	}
	if err := cmd.Wait(); (err != nil) != kill {
		ts.Fatalf("apply ended with %v", err)
	}
	return last
}

// watched lets `vlog stats --watch` look at a store while this process writes; it tells
// of each change, and ends with 130 when it is interrupted: watched DIR.
func watched(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	db, err := engine.Open(ctx, ts.MkAbs(args[0]), engine.Options{})
	ts.Check(err)
	cmd := command(ts, []string{"vlog", "stats", args[0], "--watch=5ms", "--json"})
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	killer := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() }) // against hanging; the exit code then tells
	lines := bufio.NewScanner(out)
	for seq, n := db.Durable(), 0; n < 5 && lines.Scan(); {
		var g struct {
			Seq    uint64
			Writer *struct{ PID int }
		}
		ts.Check(json.Unmarshal(lines.Bytes(), &g))
		if n > 0 && g.Seq+1 == seq {
			continue // the log grew already, and what it grew by was not synced yet
		}
		if g.Seq < seq || g.Writer == nil || g.Writer.PID != os.Getpid() {
			ts.Fatalf("%s behind #%d", lines.Text(), seq)
		}
		seq = g.Seq // what is in the file and not on disk yet makes a line too
		ts.Check(db.Put(ctx, []byte("k"), []byte{byte(n)}))
		n++
	}
	ts.Check(cmd.Process.Signal(os.Interrupt))
	_, err = io.Copy(io.Discard, out)
	ts.Check(err)
	if got := exitCode(cmd.Wait()); got != 130 {
		ts.Fatalf("exit code %d", got)
	}
	killer.Stop()
	ts.Check(db.Close())
}
