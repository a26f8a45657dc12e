package engine

import "context"

// Put sets a key to a value in a transaction of its own, by Update.
func (s Scope) Put(ctx context.Context, key, value []byte) error {
	return s.Update(ctx, func(_ context.Context, tx *Tx) error { return tx.Put(key, value) })
}

// Delete removes a key in a transaction of its own, whether it is there or not.
func (s Scope) Delete(ctx context.Context, key []byte) error {
	return s.Update(ctx, func(_ context.Context, tx *Tx) error { return tx.Delete(key) })
}

// DeleteRange removes every key of a range in a transaction of its own.
func (s Scope) DeleteRange(ctx context.Context, r Range) error {
	return s.Update(ctx, func(_ context.Context, tx *Tx) error { return tx.DeleteRange(r) })
}
