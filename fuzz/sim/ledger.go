package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// record is one transaction that asked to be written.
type record struct {
	who     string
	changes []change
	seq     uint64 // 0 while it is not known
	base    uint64 // the newest batch it saw
	saw     []check
}

// check compares what somebody saw with what the store held.
type check func(content) error

// look is what was seen of the store behind a batch.
type look struct {
	seq  uint64
	what string
	check
}

// ledger is what a store has promised, and what has been seen of it.
type ledger struct {
	mu      sync.Mutex
	hist    []content           // hist[n] is the store behind batch n
	vague   map[uint64]bool     // batches of which hist may be wrong
	by      map[uint64]*record  // answered, by number
	log     map[uint64][]change // what the log was seen to have
	open    []*record           // asked, with no answer that decides
	looks   []look              // at batches that are not known yet
	told    uint64              // answered or shown to a client: who looks later sees it
	acked   uint64              // must survive the end of the process
	durable uint64              // must survive the end of the machine
	checked int                 // looks compared
	wrong   []error
}

func newLedger() *ledger {
	return &ledger{hist: []content{{}}, vague: map[uint64]bool{}, log: map[uint64][]change{}, by: map[uint64]*record{}}
}

// failLocked writes down what must not be.
func (l *ledger) failLocked(format string, args ...any) {
	l.wrong = append(l.wrong, fmt.Errorf(format, args...))
}

// fail writes down what must not be.
func (l *ledger) fail(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failLocked(format, args...)
}

// err returns all that was wrong so far.
func (l *ledger) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.wrong...)
}

// ask notes a transaction before its commit is called.
func (l *ledger) ask(r *record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = append(l.open, r)
}

// refuse notes that nothing of a transaction was written.
func (l *ledger) refuse(r *record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropLocked(r)
}

func (l *ledger) dropLocked(r *record) {
	l.open = slices.DeleteFunc(l.open, func(o *record) bool { return o == r })
}

// answer notes that a transaction was committed as seq.
func (l *ledger) answer(r *record, seq uint64, synced bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropLocked(r)
	if other := l.by[seq]; other != nil || seq < uint64(len(l.hist)) {
		l.failLocked("%s was committed as #%d, which is taken", r.who, seq)
		return
	}
	r.seq, l.by[seq] = seq, r
	l.told = max(l.told, seq)
	l.promiseLocked(seq, synced)
	for l.by[uint64(len(l.hist))] != nil {
		l.growLocked(l.by[uint64(len(l.hist))])
	}
}

// growLocked adds the next batch to the history, and compares who looked at it.
func (l *ledger) growLocked(r *record) {
	seq := uint64(len(l.hist))
	before := l.hist[seq-1]
	l.hist = append(l.hist, before.with(r.changes))
	for _, saw := range r.saw { // serial: as if everything happened at its end
		l.compareLocked(look{seq - 1, r.who + " committed as #" + fmt.Sprint(seq), saw})
		if r.base < seq {
			l.compareLocked(look{r.base, r.who + " at its base", saw})
		}
	}
	var later []look
	for _, k := range l.looks {
		if k.seq < uint64(len(l.hist)) {
			l.compareLocked(k)
		} else {
			later = append(later, k)
		}
	}
	l.looks = later
}

func (l *ledger) compareLocked(k look) {
	if l.vague[k.seq] {
		return
	}
	l.checked++
	if err := k.check(l.hist[k.seq]); err != nil {
		l.failLocked("%s saw #%d: %w", k.what, k.seq, err)
	}
}

// saw compares a look, now or when its batch is known.
func (l *ledger) saw(k look) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k.seq < uint64(len(l.hist)) {
		l.compareLocked(k)
	} else {
		l.looks = append(l.looks, k)
	}
}

// logged notes what the log has for a batch.
func (l *ledger) logged(seq uint64, changes []change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seq >= uint64(len(l.hist)) {
		l.log[seq] = append([]change{}, changes...)
	}
}

// promise notes that a batch was shown or answered, so that it must stay.
func (l *ledger) promise(seq uint64, synced bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.promiseLocked(seq, synced)
}

func (l *ledger) promiseLocked(seq uint64, synced bool) {
	l.acked = max(l.acked, seq)
	if synced {
		l.durable = max(l.durable, seq)
	}
}

// show notes that a client saw a batch.
func (l *ledger) show(seq uint64, synced bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = max(l.told, seq)
	l.promiseLocked(seq, synced)
}

// answered returns the newest batch that a client was told of or saw.
func (l *ledger) answered() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.told
}

// promised returns what must survive the end of the process, and of the machine.
func (l *ledger) promised() (acked, durable uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acked, l.durable
}

// known returns the newest batch up to which all are known.
func (l *ledger) known() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.hist) - 1)
}

// found is what an opened store holds: what it shows, and of the log what is kept.
type found struct {
	last uint64
	got  content
	log  map[uint64][]change
	torn error // why the log ends where it does
}

// step is one batch that was in doubt, with who it was. Where several may have been it,
// what it saw says nothing; where the log does not keep it either, its state is not
// known.
type step struct {
	r           *record
	sure, known bool
}

// explain finds transactions that make of the known history what a store holds. It
// changes nothing.
func (l *ledger) explain(f found) ([]step, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f.last < uint64(len(l.hist)) {
		if l.vague[f.last] {
			return nil, nil
		}
		return nil, f.got.differs(l.hist[f.last])
	}
	for seq, changes := range l.log {
		if f.log[seq] == nil {
			f.log[seq] = changes
		}
	}
	way, err := l.searchLocked(l.hist[len(l.hist)-1], nil, f)
	if err != nil {
		return nil, fmt.Errorf("#%d, known up to #%d: %w", f.last, len(l.hist)-1, err)
	}
	return way, nil
}

// searchLocked tries every transaction that may be the next one.
func (l *ledger) searchLocked(now content, way []step, f found) ([]step, error) {
	seq := uint64(len(l.hist) + len(way))
	if seq > f.last {
		return way, f.got.differs(now)
	}
	may, why := l.fitLocked(seq, now, f.log[seq])
	for _, r := range may {
		if slices.ContainsFunc(way, func(s step) bool { return s.r == r }) {
			continue
		}
		next := step{r, len(may) == 1, len(may) == 1 || f.log[seq] != nil}
		found, err := l.searchLocked(now.with(r.changes), append(slices.Clone(way), next), f)
		if err == nil {
			return found, nil
		}
		why = err
	}
	return nil, why
}

// fitLocked returns who may be a batch, and why nobody may where that is so. logged
// is what the log has there; nil where it has nothing.
func (l *ledger) fitLocked(seq uint64, now content, logged []change) (fit []*record, why error) {
	why = fmt.Errorf("nobody asked for #%d", seq)
	for _, r := range l.mayBeLocked(seq) {
		var err error
		if logged != nil {
			err = now.with(logged).differs(now.with(r.changes))
		}
		if err == nil {
			fit = append(fit, r)
		} else {
			why = fmt.Errorf("#%d in the log is not %s: %w", seq, r.who, err)
		}
	}
	return fit, why
}

// mayBeLocked returns who may be a batch: who was told so, else all in doubt.
func (l *ledger) mayBeLocked(seq uint64) (list []*record) {
	if r := l.by[seq]; r != nil {
		return []*record{r}
	}
	for _, r := range l.open {
		if r.seq == seq || r.seq == 0 {
			list = append(list, r)
		}
	}
	return list
}

// settle makes of the ledger that of a store opened again, which ends at last: what
// was in doubt is decided, what was lost is forgotten, all that is there stays.
func (l *ledger) settle(last uint64, way []step) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.ContainsFunc(way, func(s step) bool { return !s.known }) {
		l.looks = nil
	}
	for _, s := range way {
		if !s.sure {
			s.r.saw = nil
		}
	}
	known := true
	for i, s := range way {
		known = known && s.known || i+1 == len(way) // the last one is what was seen
		if !known {
			l.vague[uint64(len(l.hist))] = true
		}
		l.growLocked(s.r)
	}
	l.hist = l.hist[:last+1]
	clear(l.by)
	clear(l.log)
	l.open, l.looks = nil, nil
	l.told, l.acked, l.durable = last, last, last
}

// behind returns a copy of what the store held behind a batch, where that is known.
func (l *ledger) behind(seq uint64) (content, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seq >= uint64(len(l.hist)) || l.vague[seq] {
		return nil, false
	}
	return maps.Clone(l.hist[seq]), true
}
