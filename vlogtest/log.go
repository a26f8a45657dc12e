package vlogtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/wal"
)

// LogMaker makes an empty log for one test. The test closes it.
type LogMaker func(t testing.TB) wal.Log

// TestLog tests everything that a wal.Log promises on logs of one kind. Each part
// has a log of its own and runs in a bubble of testing/synctest. Logs with small
// limits are tested best: what is larger than a megabyte is not tried.
func TestLog(t *testing.T, maker LogMaker) {
	t.Helper()
	for _, part := range logParts {
		t.Run(part.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &logTest{T: t, log: maker(t)}
				part.test(l)
				if !l.closed {
					l.check(l.log.Close())
				}
			})
		})
	}
}

// logParts are the parts of the contract.
var logParts = []struct {
	name string
	test func(l *logTest)
}{
	{"empty", (*logTest).empty}, {"append", (*logTest).append}, {"conflict", (*logTest).conflict}, {"groups", (*logTest).groups},
	{"durable", (*logTest).durable}, {"read", (*logTest).read}, {"beside", (*logTest).beside}, {"follow", (*logTest).follow},
	{"follow ends", (*logTest).followEnds}, {"trim", (*logTest).trim}, {"limits", (*logTest).limits}, {"cancelled", (*logTest).cancelled},
	{"close", (*logTest).close},
}

// logTest is one part at work, with what the log must hold.
type logTest struct {
	*testing.T
	log    wal.Log
	want   []wal.Entry // appended; the first has seq 1
	first  wal.Seq     // kept at least from here on; 0 means from 1
	closed bool
}

func (l *logTest) check(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

func (l *logTest) wantErr(what string, err error, kind *fault.Kind) {
	l.Helper()
	if fault.KindOf(err) != kind {
		l.Errorf("%s: error %v, want %v", what, err, kind)
	}
}

func (l *logTest) last() wal.Seq { return wal.Seq(len(l.want)) }

// record makes the record of a batch whose value has some bytes.
func (l *logTest) record(n int) wal.Record {
	l.Helper()
	key := batch.AppendKey(nil, batch.KV, batch.Main, fmt.Appendf(nil, "%d", n))
	payload, err := batch.Append(nil, &batch.Batch{Counter: 1, Ops: []batch.Op{{Kind: batch.Put, Key: key, Value: bytes.Repeat([]byte{byte(n)}, n)}}})
	l.check(err)
	r := batch.NewRecord(payload)
	r.Time = int64(n) * 1e9
	return r
}

// add appends a group of records with so many bytes each; it is not synced.
func (l *logTest) add(sizes ...int) {
	l.Helper()
	var group []wal.Record
	for _, n := range sizes {
		group = append(group, l.record(n))
	}
	last, err := l.log.Append(l.Context(), l.last(), group)
	l.check(err)
	l.note(group)
	if last != l.last() {
		l.Fatalf("the last seq is %v, want %v", last, l.last())
	}
	for _, r := range group {
		clear(r.Payload) // the log keeps no reference
	}
}

// note takes records into what the log must hold.
func (l *logTest) note(group []wal.Record) {
	var chain wal.Chain
	if n := len(l.want); n > 0 {
		chain = l.want[n-1].Chain
	}
	for _, r := range group {
		chain = chain.Next(r.Hash)
		l.want = append(l.want, wal.Entry{Seq: l.last() + 1, Time: r.Time, Flags: r.Flags, Chain: chain, Payload: slices.Clone(r.Payload)})
	}
}

func (l *logTest) sync() {
	l.Helper()
	l.check(l.log.Sync(l.Context()))
}

// same compares an entry with what was appended.
func (l *logTest) same(e wal.Entry) {
	l.Helper()
	if e.Seq == 0 || e.Seq > l.last() {
		l.Fatalf("entry %v, the last one is %v", e.Seq, l.last())
	}
	w := l.want[e.Seq-1]
	if e.Time != w.Time || e.Flags != w.Flags || e.Chain != w.Chain || !bytes.Equal(e.Payload, w.Payload) {
		l.Fatalf("entry %v is not what was appended", e.Seq)
	}
}

// reads checks that reading from a seq on gives everything to last, densely.
func (l *logTest) reads(from, last wal.Seq) {
	l.Helper()
	next := max(from, 1)
	for e, err := range l.log.Read(l.Context(), from) {
		l.check(err)
		if e.Seq != next {
			l.Fatalf("from %v: entry %v, want %v", from, e.Seq, next)
		}
		l.same(e)
		next++
	}
	if want := max(last+1, from, 1); next != want {
		l.Fatalf("from %v: it ends before %v, want %v", from, next, want)
	}
}

// bounds checks what the log says about itself against what was appended, and
// returns how far it is durable.
func (l *logTest) bounds() (first, last wal.Seq) {
	l.Helper()
	first, last, chain, err := l.log.Bounds(l.Context())
	l.check(err)
	var want wal.Chain
	if last > 0 && last <= l.last() {
		want = l.want[last-1].Chain
	}
	if first == 0 || first > last+1 || last > l.last() || chain != want {
		l.Fatalf("bounds %v to %v, chain %v; appended to %v", first, last, chain, l.last())
	}
	return first, last
}

// holds checks that everything appended is durable and can be read.
func (l *logTest) holds() {
	l.Helper()
	first, last := l.bounds()
	if last != l.last() || first > max(l.first, 1) {
		l.Fatalf("bounds %v to %v, want %v to %v", first, last, max(l.first, 1), l.last())
	}
	l.reads(first, last)
}

func (l *logTest) empty() {
	first, last := l.bounds()
	if first != 1 || last != 0 {
		l.Errorf("an empty log has bounds %v to %v", first, last)
	}
	l.sync()
	l.reads(0, 0)
	l.reads(7, 0)
	l.check(l.log.Trim(l.Context(), 1))
	l.holds()
}

// append: record by record, each synced.
func (l *logTest) append() {
	for n := range 40 {
		l.add(n * 7)
		l.sync()
	}
	l.holds()
	last, err := l.log.Append(l.Context(), l.last(), nil)
	if err != nil || last != l.last() {
		l.Errorf("an empty group: %v %v", last, err)
	}
	l.holds()
}

// conflict: nothing is written where the log does not end where the caller thinks.
func (l *logTest) conflict() {
	for range 5 {
		for _, after := range []wal.Seq{0, 1, l.last() - 1, l.last() + 1, l.last() + 100} {
			if after == l.last() {
				continue
			}
			_, err := l.log.Append(l.Context(), after, []wal.Record{l.record(1)})
			l.wantErr(fmt.Sprint("behind ", after), err, engine.ErrConflict)
		}
		l.sync()
		l.holds()
		l.add(10, 20)
	}
	l.sync()
	l.holds()
}

// groups: groups of many sizes, several to a sync.
func (l *logTest) groups() {
	for n := range 12 {
		sizes := make([]int, n*n)
		for i := range sizes {
			sizes[i] = i * n % 300
		}
		l.add(sizes...)
		if n%3 == 0 {
			l.sync()
			l.holds()
		}
	}
	l.add(5000)
	l.add(0)
	l.sync()
	l.holds()
}

// durable: what is read is durable, and what is durable stays.
func (l *logTest) durable() {
	var before wal.Seq
	for range 10 {
		l.add(1, 2, 3)
		_, last := l.bounds()
		if l.log.Limits().Durable && last != l.last() {
			l.Errorf("appending is durable, and the log is so only up to %v of %v", last, l.last())
		}
		if last < before {
			l.Errorf("durable up to %v, it was %v", last, before)
		}
		l.reads(1, last)
		l.sync()
		l.holds()
		before = l.last()
	}
}

// read: from anywhere, as often as one likes, left at any entry.
func (l *logTest) read() {
	l.add(1, 2, 3)
	for n := range 10 {
		l.add(n*50, n)
		l.sync()
	}
	for from := range l.last() + 3 {
		l.reads(from, l.last())
	}
	all := l.log.Read(l.Context(), 1)
	for range 2 {
		n := 0
		for e, err := range all {
			l.check(err)
			l.same(e)
			if n++; n == 5 {
				break
			}
		}
	}
	ctx, cancel := context.WithCancelCause(l.Context())
	defer cancel(nil)
	n := wal.Seq(0)
	var err error
	for _, err = range l.log.Read(ctx, 1) {
		n++
		cancel(errEnough)
	}
	if err != nil && !errors.Is(err, errEnough) || err == nil && n != l.last() {
		l.Errorf("read with a cancelled context: %d entries, %v", n, err)
	}
}

// beside: many read while one writes; each sees a dense prefix.
func (l *logTest) beside() {
	const groups = 50
	done := make(chan error)
	for range 4 {
		go func() {
			var next wal.Seq = 1
			for next <= 2*groups {
				for e, err := range l.log.Read(context.Background(), next) {
					if err != nil || e.Seq != next {
						done <- fmt.Errorf("entry %v %w, want %v", e.Seq, err, next)
						return
					}
					next++
				}
			}
			done <- nil
		}()
	}
	for n := range groups {
		l.add(n, 2*n)
		l.sync()
	}
	for range 4 {
		l.check(<-done)
	}
	l.holds()
}

// follower sends what it is given, and at last the error.
func (l *logTest) follower(seq iter.Seq2[wal.Entry, error]) (<-chan wal.Seq, <-chan error) {
	seqs, end := make(chan wal.Seq, 100), make(chan error, 1)
	go func() {
		var err error
		for e, e2 := range seq {
			if err = e2; err == nil {
				seqs <- e.Seq
			}
		}
		end <- err
	}()
	return seqs, end
}

// follow: first what is there, then what comes, each once, and only what is durable.
func (l *logTest) follow() {
	l.add(1, 2, 3)
	l.sync()
	ctx, cancel := context.WithCancelCause(l.Context())
	seqs, end := l.follower(l.log.Follow(ctx, 2))
	ahead, aheadEnd := l.follower(l.log.Follow(ctx, 6))
	l.got(seqs, 2, 3)
	l.add(4)
	synctest.Wait()
	if _, last := l.bounds(); last < 4 {
		l.got(seqs)
	}
	l.add(5)
	l.sync()
	l.got(seqs, 4, 5)
	l.got(ahead)
	l.add(6, 7, 8)
	l.sync()
	l.got(seqs, 6, 7, 8)
	l.got(ahead, 6, 7, 8)
	cancel(errEnough)
	for _, end := range []<-chan error{end, aheadEnd} {
		if err := <-end; err != errEnough {
			l.Errorf("a follower whose context ended: %v", err)
		}
	}
}

// got checks what a follower has been given by now.
func (l *logTest) got(seqs <-chan wal.Seq, want ...wal.Seq) {
	l.Helper()
	synctest.Wait()
	var got []wal.Seq
	for len(seqs) > 0 {
		got = append(got, <-seqs)
	}
	if !slices.Equal(got, want) {
		l.Fatalf("followed %v, want %v", got, want)
	}
}

// followEnds: closing the log ends its followers, when they have what was synced.
func (l *logTest) followEnds() {
	l.add(1)
	l.sync()
	seqs, end := l.follower(l.log.Follow(context.Background(), 1))
	l.got(seqs, 1)
	l.add(2)
	l.sync()
	l.check(l.log.Close())
	l.closed = true
	l.got(seqs, 2)
	l.wantErr("followed to the end", <-end, engine.ErrClosed)
}

// trim: it forgets nothing that is asked to stay, and says what is gone.
func (l *logTest) trim() {
	for n := range 30 {
		l.add(200, n)
		l.sync()
	}
	for _, before := range []wal.Seq{0, 1, 2, 20, 20, 10, 41} {
		l.first = max(l.first, before)
		l.check(l.log.Trim(l.Context(), before))
		l.holds()
		if first, _ := l.bounds(); first > 1 {
			l.wantErr("before the first", errOf(l.log.Read(l.Context(), first-1)), fault.ErrCompacted)
			l.wantErr("followed from before", errOf(l.log.Follow(l.Context(), 1)), fault.ErrCompacted)
		}
		l.add(100)
		l.sync()
		l.holds()
	}
	l.first = l.last() + 1
	l.check(l.log.Trim(l.Context(), l.last()+1))
	l.holds()
	l.add(1)
	l.sync()
	l.holds()
}

const tryMax = 1 << 20

// limits: exactly the limit is good, one byte more is not written.
func (l *logTest) limits() {
	limits := l.log.Limits()
	if limits.Record <= 0 || limits.Group <= 0 {
		l.Fatalf("limits %+v", limits)
	}
	l.add(1)
	if limits.Record <= tryMax {
		exact := batch.NewRecord(l.padded(limits.Record))
		last, err := l.log.Append(l.Context(), l.last(), []wal.Record{exact})
		l.check(err)
		l.note([]wal.Record{exact})
		over := batch.NewRecord(l.padded(limits.Record + 1))
		for _, group := range [][]wal.Record{{over}, {l.record(1), over}, {over, l.record(1)}} {
			_, err = l.log.Append(l.Context(), last, group)
			l.wantErr("a byte more", err, engine.ErrTooLarge)
		}
	}
	l.add(2)
	l.sync()
	l.holds()
}

// padded returns the bytes of a batch, n of them.
func (l *logTest) padded(n int) []byte {
	l.Helper()
	for size := n - 50; ; size++ {
		r := l.record(1)
		b := &batch.Batch{}
		l.check(batch.Decode(b, r.Payload))
		b.Ops[0].Value = make([]byte, size)
		if batch.Size(b) == n {
			p, err := batch.Append(nil, b)
			l.check(err)
			return p
		}
	}
}

// cancelled: a context that has ended writes nothing, and hurts nothing.
func (l *logTest) cancelled() {
	l.add(1)
	ctx, cancel := context.WithCancelCause(l.Context())
	cancel(errEnough)
	for range 10 {
		r := l.record(2)
		last, err := l.log.Append(ctx, l.last(), []wal.Record{r})
		if err == nil { // there was nothing to wait for
			l.note([]wal.Record{r})
		}
		if err != nil && err != errEnough || err == nil && last != l.last() {
			l.Fatalf("append with a cancelled context: %v %v", last, err)
		}
		if err := l.log.Sync(ctx); err != nil && err != errEnough {
			l.Fatal(err)
		}
	}
	l.add(3)
	l.sync()
	l.holds()
}

func (l *logTest) close() {
	l.add(1)
	l.check(l.log.Close())
	l.closed = true
	_, err := l.log.Append(l.Context(), l.last(), []wal.Record{l.record(1)})
	l.wantErr("append", err, engine.ErrClosed)
	l.wantErr("sync", l.log.Sync(l.Context()), engine.ErrClosed)
	l.wantErr("trim", l.log.Trim(l.Context(), 1), engine.ErrClosed)
	l.wantErr("close", l.log.Close(), engine.ErrClosed)
	if l.log.Limits().Record <= 0 {
		l.Error("no limits after close")
	}
}
