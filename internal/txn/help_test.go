package txn

import "github.com/vlogdb/vlog/internal/batch"

// bytes returns how long the batch is, without asking the layer.
func (l *layer) bytes() int {
	if l.fresh.over {
		return batch.HeadSize(l.count()) + l.size
	}
	ops := l.fresh.sorted()
	n := batch.HeadSize(len(ops))
	for i := range ops {
		n += batch.OpSize(&ops[i])
	}
	return n
}
