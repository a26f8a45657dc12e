// Package engine is the database that a Go program embeds: an ordered map in
// memory that is rebuilt from an fsynced log after any stop. A directory is a
// database; there is no server and no query language.
//
//	db, err := engine.Open(ctx, "mystore", engine.Options{})
//	…
//	defer db.Close()
//	err = db.Update(ctx, func(ctx context.Context, tx *engine.Tx) error {
//		return tx.Put([]byte("greeting"), []byte("hello"))
//	})
//	value, err := db.Get(ctx, []byte("greeting"))
//
// There are four nouns. A [DB] is an open store; a [Scope] is one tenant of it,
// and the DB itself is the scope of the tenant "main"; a [Tx] is a transaction;
// an [Entry] is a key with its value and the number of the batch that put it.
// A [Past] is the store as it was behind one batch, with the same reads; [Keep] says
// how far back a store reaches, and [Scope.History] what happened to one key.
//
// Every write is a transaction; all of its changes are one batch in the log, all
// or nothing. When [Scope.Update] returns nil the batch is on disk. Transactions
// are serializable in every mode. Readers take no lock, never wait and see only
// what a crash can no longer take away. [SyncPolicy] tells what is otherwise where
// [Options].Sync is not zero.
//
// Any number of processes may open a store with [Options].ReadOnly while one writes; what
// that has answered they see when they look. [DB.Watch] yields the batches of the log
// and then those that come.
//
// A DB, a Scope and what they return are safe for any number of goroutines; a Tx
// belongs to one. Byte slices that come out are read-only and stay valid; those
// that go in are copied. Keys and values may be empty; nil is an empty one.
//
// Errors say what (errors.Is with the sentinels of this package) and where
// (errors.AsType[*engine.Error]).
package engine
