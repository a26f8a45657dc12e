package vlogtest

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/vlogdb/vlog/engine"
)

// DBMaker makes the place of one test's store. There is no store in it yet.
type DBMaker func(t testing.TB) Place

// Place is where one store is while a test runs. Open is required.
type Place struct {
	// Open opens the store, and makes it where there is none.
	Open func(ctx context.Context, opts engine.Options) (*engine.DB, error)
	// Volatile says that the store is gone once it is closed. What needs a second
	// opening is then not tested.
	Volatile bool
	// PowerCut leaves the place as a power cut does, with any outcome that a disk
	// may give; the next Open finds it so. Nil: crashes are not tested.
	PowerCut func()
}

// Place returns the store as a place for TestDB.
func (s *Store) Place() Place {
	return Place{Open: s.open, PowerCut: func() { s.crash(PowerCut) }}
}

// TestDB tests everything that a DB promises on databases of one kind. Each part
// has a place of its own and runs in a bubble of testing/synctest: a part that
// hangs or leaves a goroutine behind fails.
func TestDB(t *testing.T, maker DBMaker) {
	t.Helper()
	for _, part := range dbParts {
		t.Run(part.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				part.test(&dbTest{T: t, maker: maker, place: maker(t)})
			})
		})
	}
}

// dbParts are the parts of the contract.
var dbParts = []struct {
	name string
	test func(d *dbTest)
}{
	{"keys", (*dbTest).keys}, {"bytes", (*dbTest).bytes}, {"ranges", (*dbTest).ranges}, {"scans", (*dbTest).scans},
	{"tenants", (*dbTest).tenants}, {"tenant names", (*dbTest).tenantNames}, {"tenant prefixes", (*dbTest).tenantPrefixes},
	{"modes", (*dbTest).modes}, {"ended", (*dbTest).ended}, {"reading", (*dbTest).reading}, {"closures", (*dbTest).closures},
	{"closures that end", (*dbTest).closuresThatEnd}, {"in a transaction", (*dbTest).inTx}, {"sub", (*dbTest).sub}, {"sub panics", (*dbTest).subPanics},
	{"submit", (*dbTest).submit}, {"conflicts", (*dbTest).conflicts}, {"no conflicts", (*dbTest).noConflicts},
	{"commit in a loop", (*dbTest).commitInLoop}, {"retries", (*dbTest).retries},
	{"immediate", (*dbTest).immediate}, {"exclusive", (*dbTest).exclusive}, {"cancelled before", (*dbTest).cancelledBefore},
	{"cancelled waiting", (*dbTest).cancelledWaiting}, {"limits", (*dbTest).limits}, {"admit", (*dbTest).admit}, {"closed", (*dbTest).closed},
	{"close with transactions", (*dbTest).closeWithTx}, {"close with waiters", (*dbTest).closeWithWaiters}, {"info", (*dbTest).info},
	{"reopen", (*dbTest).reopen}, {"must exist", (*dbTest).mustExist}, {"locked", (*dbTest).locked}, {"read-only", (*dbTest).readOnly},
	{"watch", (*dbTest).watch}, {"read beside", (*dbTest).readBeside},
	{"checkpoint", (*dbTest).checkpoint}, {"keep", (*dbTest).keep}, {"past", (*dbTest).past}, {"crash", (*dbTest).crash}, {"crash without sync", (*dbTest).crashUnsynced},
}

// dbTest is one part at work.
type dbTest struct {
	*testing.T
	maker DBMaker
	place Place
}

// open opens the part's store and closes it at the end.
func (d *dbTest) open(opts engine.Options) *engine.DB {
	d.Helper()
	db, err := d.place.Open(d.Context(), opts)
	return opened(d, db, err)
}

// lasting skips the part where a closed store is gone.
func (d *dbTest) lasting() {
	if d.place.Volatile {
		d.Skip("the store is gone when it is closed")
	}
}

func (d *dbTest) check(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// want checks the class of an error.
func (d *dbTest) want(what string, err, target error) {
	d.Helper()
	if !errors.Is(err, target) {
		d.Errorf("%s: error %v, want %v", what, err, target)
	}
}

// wants checks that several calls fail alike.
func (d *dbTest) wants(target error, calls map[string]error) {
	d.Helper()
	for what, err := range calls {
		d.want(what, err, target)
	}
}

// begin begins a transaction in the tenant main.
func (d *dbTest) begin(db *engine.DB, mode engine.Mode) *engine.Tx {
	d.Helper()
	tx, err := db.Begin(d.Context(), mode)
	d.check(err)
	return tx
}

// put puts pairs "key=value" in one transaction.
func (d *dbTest) put(s engine.Scope, pairs ...string) {
	d.Helper()
	d.check(s.Update(d.Context(), func(_ context.Context, tx *engine.Tx) error { return puts(tx, pairs...) }))
}

func puts(tx *engine.Tx, pairs ...string) error {
	for _, pair := range pairs {
		k, v, _ := strings.Cut(pair, "=")
		if err := tx.Put([]byte(k), []byte(v)); err != nil {
			return err
		}
	}
	return nil
}

// holds checks what a scope has: "key=value" in order.
func (d *dbTest) holds(what string, s engine.Scope, want ...string) {
	d.Helper()
	d.same(what, s.Scan(d.Context(), engine.Range{}), want...)
}

// shows checks what a transaction has.
func (d *dbTest) shows(what string, tx *engine.Tx, want ...string) {
	d.Helper()
	d.same(what, tx.Scan(engine.Range{}), want...)
}

func (d *dbTest) same(what string, seq iter.Seq2[engine.Entry, error], want ...string) {
	d.Helper()
	var got []string
	for e, err := range seq {
		d.check(err)
		got = append(got, string(e.Key)+"="+string(e.Value))
	}
	if g, w := strings.Join(got, " "), strings.Join(want, " "); g != w {
		d.Errorf("%s: has %q, want %q", what, g, w)
	}
}

// errOf returns the error that a sequence ends with.
func errOf[T any](seq iter.Seq2[T, error]) (err error) {
	for _, err = range seq {
		continue
	}
	return err
}

// second returns the error of a call that also returns a value.
func second[T any](_ T, err error) error { return err }

// quiet checks that a call has not come back once nobody can go on.
func quiet[T any](d *dbTest, what string, c <-chan T) {
	d.Helper()
	synctest.Wait()
	select {
	case v := <-c:
		d.Fatalf("%s: did not wait: %v", what, v)
	default:
	}
}

// background calls fn in a goroutine and returns its answer to come.
func background(fn func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	synctest.Wait()
	return done
}
