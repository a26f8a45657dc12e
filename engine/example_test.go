package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/vlogdb/vlog/engine"
)

// memory opens a database for an example.
func memory() *engine.DB {
	db, err := engine.OpenMemory(context.Background(), engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	return db
}

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "vlog")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	db, err := engine.Open(ctx, filepath.Join(dir, "mystore"), engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	err = db.Update(ctx, func(ctx context.Context, tx *engine.Tx) error {
		return tx.Put([]byte("greeting"), []byte("hello"))
	})
	if err != nil {
		log.Fatal(err)
	}
	value, err := db.Get(ctx, []byte("greeting"))
	fmt.Printf("%s %v\n", value, err)
	// Output: hello <nil>
}

func ExampleOpen() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "vlog")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	db, err := engine.Open(ctx, dir, engine.Options{Documentation: "Prices of the shop."})
	if err != nil {
		log.Fatal(err)
	}
	if err := db.Put(ctx, []byte("apple"), []byte("0.30")); err != nil {
		log.Fatal(err)
	}
	if err := db.Close(); err != nil {
		log.Fatal(err)
	}

	db, err = engine.Open(ctx, dir, engine.Options{MustExist: true})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	price, err := db.Get(ctx, []byte("apple"))
	fmt.Printf("%s %v\n", price, err)
	fmt.Println(db.Documentation(), db.Report().Clean)
	// Output:
	// 0.30 <nil>
	// Prices of the shop. true
}

func ExampleScope_Update() {
	ctx, db := context.Background(), memory()
	defer db.Close()
	visit := func(ctx context.Context, tx *engine.Tx) error {
		visits, err := tx.Get([]byte("visits"))
		if err != nil && !errors.Is(err, engine.ErrNotFound) {
			return err
		}
		return tx.Put([]byte("visits"), append(visits[:len(visits):len(visits)], '|'))
	}
	for range 3 {
		// nil means that it is on disk. Any number of goroutines may do this at once.
		if err := db.Update(ctx, visit); err != nil {
			log.Fatal(err)
		}
	}
	visits, err := db.Get(ctx, []byte("visits"))
	fmt.Printf("%s %v\n", visits, err)
	// Output: ||| <nil>
}

func ExampleScope_View() {
	ctx, db := context.Background(), memory()
	defer db.Close()
	if err := db.Put(ctx, []byte("a"), []byte("1")); err != nil {
		log.Fatal(err)
	}
	err := db.View(ctx, func(ctx context.Context, tx *engine.Tx) error {
		// Somebody else writes meanwhile; this picture stays as it is.
		if err := db.Put(ctx, []byte("a"), []byte("2")); err != nil {
			return err
		}
		value, err := tx.Get([]byte("a"))
		fmt.Printf("in the view: %s\n", value)
		return err
	})
	value, _ := db.Get(ctx, []byte("a"))
	fmt.Printf("now: %s %v\n", value, err)
	// Output:
	// in the view: 1
	// now: 2 <nil>
}

func ExampleScope_Scan() {
	ctx, db := context.Background(), memory()
	defer db.Close()
	for _, key := range []string{"fruit/apple", "fruit/pear", "fruit/plum", "nut/hazel"} {
		if err := db.Put(ctx, []byte(key), nil); err != nil {
			log.Fatal(err)
		}
	}
	for e, err := range db.Scan(ctx, engine.Range{Prefix: []byte("fruit/"), Reverse: true}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s by batch %d\n", e.Key, e.Seq)
	}
	n, err := db.Count(ctx, engine.Range{From: []byte("fruit/b"), To: []byte("z")})
	fmt.Println(n, err)
	// Output:
	// fruit/plum by batch 3
	// fruit/pear by batch 2
	// fruit/apple by batch 1
	// 3 <nil>
}

func ExampleDB_Tenant() {
	ctx, db := context.Background(), memory()
	defer db.Close()
	acme, err := db.Tenant("acme")
	if err != nil {
		log.Fatal(err)
	}
	// One transaction, keys of two tenants.
	err = db.Update(ctx, func(ctx context.Context, tx *engine.Tx) error {
		other, err := tx.Tenant("acme")
		if err != nil {
			return err
		}
		return errors.Join(tx.Put([]byte("name"), []byte("the main one")), other.Put([]byte("name"), []byte("Acme")))
	})
	if err != nil {
		log.Fatal(err)
	}
	a, _ := db.Get(ctx, []byte("name"))
	b, _ := acme.Get(ctx, []byte("name"))
	fmt.Printf("%s, %s\n", a, b)
	_, err = db.Tenant("../acme")
	fmt.Println(errors.Is(err, engine.ErrBadName))
	// Output:
	// the main one, Acme
	// true
}

func ExampleScope_Begin() {
	ctx, db := context.Background(), memory()
	defer db.Close()
	tx, err := db.Begin(ctx, engine.Immediate) // commits without conflict; other writers wait
	if err != nil {
		log.Fatal(err)
	}
	defer tx.Rollback() // does nothing after the commit
	if err := tx.Put([]byte("a"), []byte("1")); err != nil {
		log.Fatal(err)
	}
	_, err = db.Get(ctx, []byte("a"))
	fmt.Println("before the commit:", errors.Is(err, engine.ErrNotFound))
	if err := tx.Commit(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("committed as batch", tx.Seq())
	// Output:
	// before the commit: true
	// committed as batch 1
}

func ExampleTx_Commit_conflict() {
	ctx, db := context.Background(), memory()
	defer db.Close()
	tx, err := db.Begin(ctx, engine.Deferred) // takes no lock; what it read is checked at its commit
	if err != nil {
		log.Fatal(err)
	}
	defer tx.Rollback()
	taken, err := tx.Has([]byte("seat 7"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("taken:", taken)
	if err := db.Put(ctx, []byte("seat 7"), []byte("somebody else")); err != nil {
		log.Fatal(err)
	}
	if err := tx.Put([]byte("seat 7"), []byte("me")); err != nil {
		log.Fatal(err)
	}
	err = tx.Commit()
	fmt.Println(err)
	fmt.Println("try again:", errors.Is(err, engine.ErrConflict)) // Update does so by itself
	// Output:
	// taken: false
	// commit: #1: conflict: kv main "seat 7" has changed
	// try again: true
}

func ExampleTx_Sub() {
	ctx, db := context.Background(), memory()
	defer db.Close()
	err := db.Update(ctx, func(ctx context.Context, tx *engine.Tx) error {
		for _, step := range []string{"one", "two", "three"} {
			err := tx.Sub(func(tx *engine.Tx) error {
				if err := tx.Put([]byte(step), []byte("done")); err != nil {
					return err
				}
				if step == "two" {
					return errors.New("this one does not work out")
				}
				return nil
			})
			fmt.Println(step, err)
		}
		return nil
	})
	n, _ := db.Count(ctx, engine.Range{})
	fmt.Println(n, "steps kept", err)
	// Output:
	// one <nil>
	// two this one does not work out
	// three <nil>
	// 2 steps kept <nil>
}

func ExampleScope_Submit() {
	ctx, db := context.Background(), memory()
	defer db.Close()
	var last *engine.Pending
	for n := range 3 {
		p, err := db.Submit(ctx, func(ctx context.Context, tx *engine.Tx) error {
			return tx.Put(fmt.Append(nil, "line ", n), nil)
		})
		if err != nil {
			log.Fatal(err)
		}
		last = p
	}
	seq, err := last.Wait(ctx) // and with it everything submitted before
	fmt.Println(seq, err, db.Durable())
	// Output: 3 <nil> 3
}

func ExampleDB_Checkpoint() {
	ctx, db := context.Background(), memory()
	defer db.Close()
	for n := range 100 {
		if err := db.Put(ctx, []byte("counter"), fmt.Append(nil, n)); err != nil {
			log.Fatal(err)
		}
	}
	res, err := db.Checkpoint(ctx) // the next opening reads one entry instead of 100 batches
	fmt.Println(res.Written, res.Seq, err)
	res, err = db.Checkpoint(ctx) // nothing new
	fmt.Println(res.Written, res.Seq, err)
	// Output:
	// true 100 <nil>
	// false 100 <nil>
}

func ExampleDB_At() {
	ctx, db := context.Background(), memory()
	defer db.Close()
	for _, name := range []string{"Alice", "Bob", "Carol"} {
		if err := db.Put(ctx, []byte("users/42"), []byte(name)); err != nil {
			log.Fatal(err)
		}
	}
	past, err := db.At(ctx, 2) // behind the second batch
	if err != nil {
		log.Fatal(err)
	}
	was, err := past.Get(ctx, []byte("users/42"))
	fmt.Printf("#%d: %s %v\n", past.Seq(), was, err)

	// What is written for transactions works on the past too.
	err = past.View(ctx, func(ctx context.Context, tx *engine.Tx) error {
		n, err := tx.Count(engine.Range{Prefix: []byte("users/")})
		fmt.Println(n, "user", err)
		return tx.Put([]byte("users/43"), nil)
	})
	fmt.Println(errors.Is(err, engine.ErrReadOnly))
	_, err = db.At(ctx, 4)
	fmt.Println(err)
	// Output:
	// #2: Bob <nil>
	// 1 user <nil>
	// true
	// look back: #4: not found: it has not happened yet: the newest batch is #3
}

func ExampleScope_History() {
	ctx, db := context.Background(), memory()
	defer db.Close()
	key := []byte("users/42")
	err := errors.Join(db.Put(ctx, key, []byte("Alice")), db.Put(ctx, key, []byte("Bob")), db.Delete(ctx, key))
	if err != nil {
		log.Fatal(err)
	}
	for e, err := range db.History(ctx, key, 10) { // at most 10, newest first
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("#%d %s %q\n", e.Seq, e.Op, e.Value)
	}
	// Output:
	// #3 del ""
	// #2 put "Bob"
	// #1 put "Alice"
}

func ExampleError() {
	ctx, db := context.Background(), memory()
	if err := db.Close(); err != nil {
		log.Fatal(err)
	}
	err := db.Put(ctx, []byte("a"), []byte("1"))
	if errors.Is(err, engine.ErrClosed) { // what
		fmt.Println(err)
	}
	if e, ok := errors.AsType[*engine.Error](err); ok { // where, and what to do
		fmt.Println(e.Op, "|", e.At, "|", e.Err.Code(), "|", e.Advice())
	}
	// Output:
	// put: InMemory: closed
	// put | InMemory | CLOSED | open it again
}

func ExampleDB_Watch() {
	ctx, db := context.Background(), memory()
	defer db.Close()
	if err := db.Put(ctx, []byte("first"), []byte("1")); err != nil {
		log.Fatal(err)
	}
	for b, err := range db.Watch(ctx, 0) { // what is there, then what comes
		if err != nil {
			log.Fatal(err)
		}
		for c := range b.Changes() {
			fmt.Printf("#%d %s %s = %s\n", b.Seq, c.Op, c.Key, c.Value)
		}
		if b.Seq == 2 {
			break // which releases everything
		}
		if err := db.Put(ctx, []byte("second"), []byte("2")); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// #1 put first = 1
	// #2 put second = 2
}

func ExampleDB_Refresh() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "vlog")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	writer, err := engine.Open(ctx, dir, engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer writer.Close()
	reader, err := engine.Open(ctx, dir, engine.Options{ReadOnly: true}) // in another process, perhaps
	if err != nil {
		log.Fatal(err)
	}
	defer reader.Close()
	if err := writer.Put(ctx, []byte("apple"), []byte("0.30")); err != nil {
		log.Fatal(err)
	}
	if err := reader.Refresh(ctx); err != nil { // Get would do so by itself
		log.Fatal(err)
	}
	value, err := reader.Get(ctx, []byte("apple"))
	fmt.Printf("%s %v\n", value, err)
	// Output: 0.30 <nil>
}
