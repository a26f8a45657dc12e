package real

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vlogdb/vlog/engine"
)

// What makes a mounted ext4 stop as if its power had gone: nothing that is not on disk
// gets there any more, not even its journal.
const (
	goingDown  = 0x8004587d // EXT4_IOC_SHUTDOWN
	noLogFlush = 2
)

// TestPowerCut cuts the power of a real ext4, again and again, while many write, rotate
// and compact: whoever waits gets a named error and nothing is taken any more, readers
// go on, and what comes up again holds what was answered.
func TestPowerCut(t *testing.T) {
	if withMounts(t) {
		both(t, testPowerCut)
	}
}

func testPowerCut(t *testing.T, codec engine.Codec) {
	cuts, size := 3, int64(16<<20)
	if *long {
		cuts, size = 100, 256<<20
	}
	tmp := t.TempDir()
	p := &powerCut{T: t, image: ext4Image(t, filepath.Join(tmp, "image"), size), disk: filepath.Join(tmp, "disk"), codec: codec,
		acked: written{}, rng: rand.New(rand.NewPCG(8, uint64(codec)))}
	for range cuts {
		p.round()
	}
	unmount := mountImage(t, p.image, p.disk)
	p.comesUp()
	unmount()
	t.Logf("%d keys answered", len(p.acked))
}

// powerCut is a store on a disk whose power goes.
type powerCut struct {
	*testing.T
	image, disk string
	codec       engine.Codec
	rng         *rand.Rand

	mu    sync.Mutex // guards the rest
	acked written
	doubt written // asked for, and the answer was that nobody knows
}

// round lets some write until the power goes after a number of answers.
func (p *powerCut) round() {
	unmount := mountImage(p.T, p.image, p.disk)
	p.comesUp()
	opts := busy()
	opts.Codec, opts.MustExist = p.codec, false
	db := open(p.T, filepath.Join(p.disk, "store"), opts)
	p.doubt = written{}
	end := len(p.acked) + 20 + p.rng.IntN(500)
	var all sync.WaitGroup
	off := sync.OnceFunc(p.off)
	for w := range writers {
		all.Go(func() {
			for n := 0; p.write(db, fmt.Sprintf("%d/%d/%d", end, w, n)); n++ {
				if p.count() >= end {
					off()
				}
			}
		})
	}
	all.Wait()
	p.readsOn(db)
	if err := db.Close(); err == nil {
		p.Error("closed on a disk without power, as if nothing were")
	}
	unmount()
}

// off takes the power away.
func (p *powerCut) off() {
	d, err := os.Open(p.disk)
	check(p.T, err)
	if err := unix.IoctlSetPointerInt(int(d.Fd()), goingDown, noLogFlush); err != nil {
		p.Errorf("this ext4 cannot be stopped: %v", err)
	}
	check(p.T, d.Close())
}

func (p *powerCut) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.acked)
}

// write writes a key, and says whether it was answered.
func (p *powerCut) write(db *engine.DB, key string) bool {
	value := strings.Repeat(key, 20)
	err := db.Put(context.Background(), []byte(key), []byte(value))
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		p.acked[key] = value
	case errors.Is(err, engine.ErrAmbiguous):
		p.doubt[key] = value
	case !errors.Is(err, engine.ErrPoisoned) && !errors.Is(err, engine.ErrIO):
		p.Errorf("put on a disk without power: %v", err)
	}
	return err == nil && !p.Failed()
}

// readsOn looks whether a store without a disk still shows what it answered, and takes
// nothing. Where the power went between two segments nothing was left open by it: each
// write then finds that the disk cannot be read, and the store has no reason to stop.
func (p *powerCut) readsOn(db *engine.DB) {
	p.acked.same(p.T, db)
	refused := engine.ErrPoisoned
	if db.Err() == nil {
		refused = engine.ErrIO
	}
	want(p.T, "a put", db.Put(p.Context(), []byte("late"), nil), refused)
}

// comesUp opens what the power left: what was answered is there, and of the rest
// nothing but what was in doubt, which is known then.
func (p *powerCut) comesUp() {
	dir := filepath.Join(p.disk, "store")
	if len(p.acked) == 0 {
		return
	}
	db := open(p.T, dir, engine.Options{MustExist: true, CheckpointAfter: -1})
	for key, value := range maps.All(p.doubt) {
		if has, err := db.Has(p.Context(), []byte(key)); err != nil || has {
			check(p.T, err)
			p.acked[key] = value
		}
	}
	p.acked.same(p.T, db)
	check(p.T, db.Close())
	sound(p.T, dir)
}
