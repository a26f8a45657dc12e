package committer

import "sync/atomic"

// inbox is where requests arrive: putting takes no lock, so that nobody waits for a
// leader who goes through those that came before. The zero inbox is empty.
type inbox struct{ newest atomic.Pointer[waiter] }

func (b *inbox) put(w *waiter) {
	for {
		w.next = b.newest.Load()
		if b.newest.CompareAndSwap(w.next, w) {
			return
		}
	}
}

func (b *inbox) empty() bool { return b.newest.Load() == nil }

// take empties the inbox. It returns the one that came first, from whom next leads to
// those who came later, and how many they are.
func (b *inbox) take() (first *waiter, n int) {
	for w := b.newest.Swap(nil); w != nil; n++ {
		before := w.next
		w.next, first, w = first, w, before
	}
	return first, n
}
