package vfs

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
)

// Disk is a Mem frozen at one moment, with everything that is not yet durable.
// It never changes and may be used from any goroutine.
type Disk struct {
	boot  int
	ids   int
	n     int // operations that made it
	root  *node
	nodes map[*node]state // the nodes are identities only: what they say is here
	ops   []entryOp

	once  sync.Once // fills dirty, at the first question for an image
	dirty *files
}

// Snapshot freezes the present disk. It copies no file and no directory: what
// changes next is copied then.
func (m *Mem) Snapshot() *Disk {
	d := m.d
	d.mu.Lock()
	defer d.mu.Unlock()
	disk := &Disk{boot: d.boot, ids: d.ids, n: d.past + d.n, root: d.root, nodes: map[*node]state{}, ops: slices.Clip(d.ops)}
	todo := []*node{d.root}
	for _, op := range d.ops {
		for _, s := range op.slots {
			todo = append(todo, s.dir, s.node)
		}
	}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = disk.take(n, d.track, todo[:len(todo)-1])
	}
	return disk
}

// take freezes one node and adds those it names to the ones still to be taken.
func (d *Disk) take(n *node, track bool, todo []*node) []*node {
	if n == nil {
		return todo
	}
	if _, ok := d.nodes[n]; ok {
		return todo
	}
	n.state.freeze(track)
	s := n.state
	s.file.pending = slices.Clip(s.file.pending)
	d.nodes[n] = s
	if s.dir {
		todo = slices.AppendSeq(todo, maps.Values(s.names.now.m))
		todo = slices.AppendSeq(todo, maps.Values(s.names.durable.m))
	}
	return todo
}

// mem returns a fresh file system with the state of the disk, pending changes
// included.
func (d *Disk) mem(track bool) *Mem {
	fresh := map[*node]*node{nil: nil}
	for n, s := range d.nodes {
		fresh[n] = &node{state: s}
	}
	move := func(e *entries) *entries {
		to := &entries{m: make(map[string]*node, len(e.m))}
		for name, n := range e.m {
			to.m[name] = fresh[n]
		}
		return to.freeze()
	}
	for _, n := range fresh {
		if n != nil && n.dir {
			n.names = nameState{now: move(n.names.now), durable: move(n.names.durable)}
			n.countLinks()
		}
	}
	disk := &memDisk{track: track, boot: d.boot, ids: d.ids, past: d.n, root: fresh[d.root]}
	for _, op := range d.ops {
		disk.ops = append(disk.ops, op.moved(fresh))
	}
	return &Mem{d: disk}
}

// countLinks adds the names in a directory to the links of what they name.
func (n *node) countLinks() {
	for _, child := range n.names.now.m {
		child.links++
	}
}

func (o entryOp) moved(fresh map[*node]*node) entryOp {
	slots := slices.Clone(o.slots)
	for i, s := range slots {
		slots[i] = slot{dir: fresh[s.dir], name: s.name, node: fresh[s.node]}
	}
	return entryOp{slots: slots}
}

// Images calls yield with every state in which a crash of the kind of model may
// leave the disk, until yield returns false, and returns how many it did not
// show; 0 means that these were all (and a very large number is a lower bound).
//
// Where there are more than limit, it shows the extreme ones, those that differ
// from an extreme one by a single choice, and a sample; always the same ones.
// Images may be alike: compare Hash.
func (d *Disk) Images(model Model, limit int, yield func(img *Image) bool) (left uint64) {
	s := d.space(model)
	left = s.size()
	for _, choice := range s.choices(limit, rand.New(rand.NewPCG(uint64(d.n), uint64(model)))) {
		left--
		if !yield(s.build(choice)) {
			break
		}
	}
	return left
}

// Pick returns one image of a model, chosen by seed.
func (d *Disk) Pick(model Model, seed uint64) *Image {
	s := d.space(model)
	return s.build(s.random(rand.New(rand.NewPCG(seed, uint64(model)))))
}

// Crash returns what one crash of the kind of model left, chosen by seed. m goes
// on as if nothing had happened.
func (m *Mem) Crash(model Model, seed uint64) *Mem {
	return m.Snapshot().Pick(model, seed).Mem(m.d.track)
}

// space is the set of images of one model: one choice for each dimension.
type space struct {
	dims    []int   // number of choices in each dimension, 1 or more
	corners [][]int // the extreme ones
	build   func(choice []int) *Image
}

// size returns the number of combinations, or the largest number there is.
func (s *space) size() uint64 {
	n := uint64(1)
	for _, d := range s.dims {
		if n > math.MaxUint64/uint64(d) {
			return math.MaxUint64
		}
		n *= uint64(d)
	}
	return n
}

// choices lists all combinations, or where there are more than limit the corners
// and as many others as the limit leaves room for.
func (s *space) choices(limit int, rnd *rand.Rand) [][]int {
	if n := s.size(); n <= uint64(max(limit, 0)) {
		list := make([][]int, n)
		for i := range list {
			list[i] = s.at(uint64(i))
		}
		return list
	}
	list := newChoices()
	for _, c := range s.corners {
		list.add(c)
	}
	list.add(make([]int, len(s.dims)))
	s.addNeighbours(list, limit, rnd)
	for tries := 0; len(list.all) < limit && tries < 4*limit; tries++ {
		list.add(s.random(rnd))
	}
	return list.all
}

// addNeighbours fills half of the room with corners changed in one dimension,
// taken at random: one thing lost, or one thing only that made it.
func (s *space) addNeighbours(list *choiceList, limit int, rnd *rand.Rand) {
	room := len(list.all) + (limit-len(list.all))/2
	if len(s.corners) == 0 {
		return
	}
	for tries := 0; len(list.all) < room && tries < 4*limit; tries++ {
		c := slices.Clone(s.corners[rnd.IntN(len(s.corners))])
		i := rnd.IntN(len(c))
		c[i] = rnd.IntN(s.dims[i])
		list.add(c)
	}
}

// at returns the i-th combination.
func (s *space) at(i uint64) []int {
	c := make([]int, len(s.dims))
	for k, d := range s.dims {
		c[k] = int(i % uint64(d))
		i /= uint64(d)
	}
	return c
}

func (s *space) random(rnd *rand.Rand) []int {
	c := make([]int, len(s.dims))
	for k, d := range s.dims {
		c[k] = rnd.IntN(d)
	}
	return c
}

// choiceList collects combinations, each once.
type choiceList struct {
	all  [][]int
	seen map[string]bool
}

func newChoices() *choiceList { return &choiceList{seen: map[string]bool{}} }

func (l *choiceList) add(c []int) {
	key := make([]byte, 0, 2*len(c))
	for _, v := range c {
		key = append(key, byte(v>>8), byte(v))
	}
	if l.seen[string(key)] {
		return
	}
	l.seen[string(key)] = true
	l.all = append(l.all, c)
}
