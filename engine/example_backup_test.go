package engine_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/vlogdb/vlog/engine"
)

func ExampleDB_Backup() {
	ctx, db := context.Background(), memory()
	defer db.Close()
	dir, err := os.MkdirTemp("", "vlog")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	place := filepath.Join(dir, "place")
	for n := range 2 {
		if err := db.Put(ctx, fmt.Append(nil, "line ", n), nil); err != nil {
			log.Fatal(err)
		}
		res, err := db.Backup(ctx, place, engine.BackupOptions{}) // others may write meanwhile
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("the place leads to", res.Seq)
	}
	copied, err := engine.Open(ctx, place, engine.Options{ReadOnly: true})
	if err != nil {
		log.Fatal(err)
	}
	defer copied.Close()
	lines, err := copied.Count(ctx, engine.Range{Prefix: []byte("line ")})
	fmt.Println(lines, err)
	// Output:
	// the place leads to 1
	// the place leads to 2
	// 2 <nil>
}

func ExampleRestore() {
	ctx, db := context.Background(), memory()
	defer db.Close()
	dir, err := os.MkdirTemp("", "vlog")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	place, again := filepath.Join(dir, "place"), filepath.Join(dir, "again")
	for _, price := range []string{"0.30", "0.35"} {
		if err := db.Put(ctx, []byte("apple"), []byte(price)); err != nil {
			log.Fatal(err)
		}
	}
	if _, err := db.Backup(ctx, place, engine.BackupOptions{}); err != nil {
		log.Fatal(err)
	}
	plan, err := engine.Restore(ctx, place, again, engine.RestoreOptions{Seq: 1, DryRun: true})
	fmt.Println("would restore to", plan.Seq, err)
	if _, err := engine.Restore(ctx, place, again, engine.RestoreOptions{Seq: 1}); err != nil {
		log.Fatal(err)
	}
	old, err := engine.Open(ctx, again, engine.Options{MustExist: true})
	if err != nil {
		log.Fatal(err)
	}
	defer old.Close()
	price, err := old.Get(ctx, []byte("apple"))
	fmt.Printf("%s %v\n", price, err)
	// Output:
	// would restore to 1 <nil>
	// 0.30 <nil>
}
