package backup

import (
	"context"
	"slices"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/recovery"
)

// plan is what makes a place hold what the source holds.
type plan struct {
	lead   []image  // comes before all else: the checkpoint that leads over a gap
	pieces []piece  // to copy, ascending
	images []image  // to copy, ascending
	drop   []string // goes at last
	there  int      // files that need no copying
	bytes  int64    // to copy
}

// plan compares the source with the place.
func (r *run) plan(ctx context.Context, there *stock) (*plan, error) {
	end, err := r.sameHistory(ctx, there)
	if err != nil {
		return nil, err
	}
	p := &plan{}
	if err := p.missing(r.have, there); err != nil {
		return nil, err
	}
	p.bytes = bytesOf(p.pieces, p.images)
	if n := len(p.images); n > 0 && r.have.first(r.at.Seq) > end+1 {
		p.lead, p.images = p.images[n-1:], p.images[:n-1]
	}
	return p, p.forget(r, there)
}

// missing notes what the place does not have.
func (p *plan) missing(have, there *stock) error {
	byName, digests := map[string]piece{}, map[batch.Digest]bool{}
	for _, t := range there.pieces {
		byName[t.name] = t
	}
	for _, t := range there.images {
		digests[t.Digest] = true
	}
	for _, s := range have.pieces {
		t, ok := byName[s.name]
		switch {
		case ok && (t.last > s.last || t.last == s.last && t.chain != s.chain):
			return otherCut(t.name)
		case ok && t.last == s.last && t.head == s.head:
			p.there++
		default:
			p.pieces = append(p.pieces, s)
		}
	}
	for _, s := range have.images {
		if digests[s.Digest] {
			p.there++
		} else {
			p.images = append(p.images, s)
		}
	}
	return nil
}

// overlap refuses a place whose log is cut at other seqs than the source's: while it
// was copied over, segments of both would stand beside each other.
func (s *stock) overlap() error {
	for i := range s.pieces {
		if i > 0 && s.pieces[i].head.First <= s.pieces[i-1].last {
			return otherCut(s.pieces[i].name)
		}
	}
	return nil
}

func otherCut(name string) error {
	return &fault.Error{Op: "backup", At: fault.Place{Path: name}, Err: fault.ErrConflict, Detail: "the place has the log in other segments than the source", Hint: "use a new place; this one stays as it is"}
}

// sameHistory returns how far the place leads, and ErrConflict where that is not a
// beginning of what the source has.
func (r *run) sameHistory(ctx context.Context, there *stock) (end batch.Seq, err error) {
	end, chain := there.newest()
	if r.place != nil {
		c, ok, err := recovery.LastClosed(r.place, r.id)
		if err != nil {
			return 0, err
		}
		if ok && c.Seq > end {
			end, chain = c.Seq, batch.Chain(c.Chain)
		}
	}
	if end > r.at.Seq {
		return 0, r.conflict(end, "the place leads to "+end.String()+", the source only to "+r.at.Seq.String()+": it was restored to an earlier moment")
	}
	want, ok, err := r.have.chainAt(ctx, end)
	if err != nil {
		return 0, ofSource(err)
	}
	if ok && want != chain {
		return 0, r.conflict(end, "the place has another history of the same store")
	}
	return end, nil
}

func (r *run) conflict(at batch.Seq, detail string) error {
	return &fault.Error{Op: "backup", At: fault.Place{Path: r.place.Path(), Seq: uint64(at)}, Err: fault.ErrConflict, Detail: detail, Hint: "use a new place; this one stays as it is"}
}

// forget notes what goes: what no longer leads to the newest batch, since the source
// has dropped what lay between, and with Prune all that the source does not keep.
func (p *plan) forget(r *run, there *stock) error {
	kept := r.have.names()
	all := r.have.union(there, kept)
	if err := all.overlap(); err != nil {
		return err
	}
	gone := map[string]bool{}
	loose, _ := all.connect(r.at.Seq)
	for _, name := range loose {
		gone[name] = true
	}
	for _, name := range there.inOrder() {
		if !kept[name] && (r.opts.Prune || gone[name]) {
			p.drop = append(p.drop, name)
		}
	}
	return p.discard(there.bad, kept, r.opts.Prune)
}

// discard decides about files of the place that say nothing usable: what the source has
// is copied over them; what it does not have is told, and with Prune forgotten.
func (p *plan) discard(bad []string, kept map[string]bool, prune bool) error {
	for _, name := range bad {
		switch {
		case kept[name]:
		case prune:
			p.drop = append(p.drop, name)
		default:
			return &fault.Error{Op: "backup", At: fault.Place{Path: name}, Err: fault.ErrCorrupt, Detail: "damaged in the place, and no longer kept by the source",
				Hint: "forget it with --prune, or use a new place; see `vlog check`"}
		}
	}
	return nil
}

// inOrder lists the names in the order in which they may go: segments first, then
// checkpoints, each ascending.
func (s *stock) inOrder() (names []string) {
	for _, p := range s.pieces {
		names = append(names, p.name)
	}
	for _, i := range s.images {
		names = append(names, i.name)
	}
	return names
}

func (s *stock) names() map[string]bool {
	set := map[string]bool{}
	for _, name := range s.inOrder() {
		set[name] = true
	}
	return set
}

// union is what both hold together; s, whose names are mine, counts where both have one.
func (s *stock) union(t *stock, mine map[string]bool) *stock {
	u := &stock{pieces: slices.Clone(s.pieces), images: slices.Clone(s.images)}
	for _, p := range t.pieces {
		if !mine[p.name] {
			u.pieces = append(u.pieces, p)
		}
	}
	for _, i := range t.images {
		if !mine[i.name] {
			u.images = append(u.images, i)
		}
	}
	u.sort()
	return u
}
