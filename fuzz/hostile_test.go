package fuzz

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/fuzz/cost"
	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// hostileLimit is what opening a small store may allocate, whatever its files say: so no
// single allocation is larger either. A good one of this size takes 2 MiB, a window or two.
const hostileLimit = 16 << 20

// prey is a small store whose files are to lie: path → bytes.
type prey struct {
	codec engine.Codec
	store [16]byte
	files map[string]string
}

// newPrey returns a store that was killed, in which every kind of file is there: a segment that
// was sealed, one that was not, two checkpoints, log/durable, the flags.
func newPrey(t *testing.T, codec engine.Codec) *prey {
	ctx := t.Context()
	mem := vfs.NewMem(vfs.MemOptions{})
	db, err := engine.OpenFS(ctx, mem.Reopen(), small(codec, 1))
	for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
		if err != nil {
			t.Fatal(err)
		}
		if err = db.Put(ctx, []byte(key), []byte(strings.Repeat("1", 400))); err == nil && (key == "b" || key == "d") {
			_, err = db.Checkpoint(ctx)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	p := &prey{codec: codec, files: map[string]string{}}
	id, err := hex.DecodeString(strings.ReplaceAll(db.ID(), "-", ""))
	if err != nil || copy(p.store[:], id) != 16 {
		t.Fatal(db.ID(), err)
	}
	p.take(mem)
	x := hex.EncodeToString(p.store[:])
	p.files["log/recover"] = flagLine(`{"store":"%s","seq":4,"digest":"%064x","time":5`, x, 0)
	p.files["log/truncate"] = flagLine(`{"store":"%s","segment":5,"epoch":7,"offset":512,"digest":"%064x"`, x, 0)
	p.files["log/truncate_flag"] = flagLine(`{"store":"%s"`, x)
	if p.open(t, "a good store", p.disk("", "")) != nil {
		t.Fatal("it does not open")
	}
	return p
}

// flagLine spells a flag file by docs/FORMAT.md.
func flagLine(format string, args ...any) string {
	text := fmt.Sprintf(format, args...)
	return fmt.Sprintf("%s,\"sum\":\"%08x\"}\n", text, batch.Sum([]byte(text)))
}

func (p *prey) take(mem *vfs.Mem) {
	for _, dir := range []string{".", "log"} {
		entries, err := mem.ReadDir(dir)
		for i := 0; err == nil && i < len(entries); i++ {
			name := strings.TrimPrefix(dir+"/"+entries[i].Name, "./")
			if b, ok := readFile(mem, name); ok && !entries[i].Dir {
				p.files[name] = string(b)
			}
		}
	}
}

// disk puts the files on a disk, one of them with other bytes.
func (p *prey) disk(name, data string) *vfs.Mem {
	mem := vfs.NewMem(vfs.MemOptions{})
	err := mem.Mkdir("log")
	for path, b := range p.files {
		if path == name {
			b = data
		}
		err = errors.Join(err, mem.Replace(path, []byte(b)))
	}
	if err != nil {
		panic(err)
	}
	return mem
}

// open opens a disk, for writing and for reading, within the limit; it fails where an error has no name.
func (p *prey) open(t *testing.T, what string, mem *vfs.Mem) (err error) {
	t.Helper()
	for _, readOnly := range []bool{true, false} {
		opts := small(p.codec, 2)
		opts.ReadOnly = readOnly
		var db *engine.DB
		if got := cost.Of(func() { db, err = engine.OpenFS(t.Context(), mem.Reopen(), opts) }); got > hostileLimit {
			t.Errorf("%s: %d bytes allocated", what, got)
		}
		if err == nil {
			err = db.Close()
		}
		if err != nil && !slices.ContainsFunc([]error{engine.ErrCorrupt, engine.ErrForeign, engine.ErrIncompatible}, func(k error) bool { return errors.Is(err, k) }) {
			t.Errorf("%s: %v", what, err)
		}
	}
	return err
}

// tally counts how lies were taken, so that a test that lies in vain is noticed.
type tally struct{ tried, refused int }

func (n *tally) add(err error) {
	if n.tried++; err != nil {
		n.refused++
	}
}

func (n *tally) demand(t *testing.T, tried, refused int) {
	t.Logf("%d lies, %d refused", n.tried, n.refused)
	if n.tried < tried || n.refused < refused {
		t.Errorf("fewer than %d lies, or than %d refused", tried, refused)
	}
}

// lengths are what a length or count may be said to be.
var lengths = []uint64{1 << 31, 1<<63 - 1, 1 << 63, 1<<64 - 1}

// TestHostileLengths has every field of every binary file say something huge or negative, with
// the checksums put right: nothing is allocated by it.
func TestHostileLengths(t *testing.T) {
	p := newPrey(t, engine.Binary)
	var n tally
	for _, name := range slices.Sorted(maps.Keys(p.files)) {
		mend := p.mender(name)
		if mend == nil {
			continue
		}
		for _, off := range fieldsOf(p.files[name]) {
			for _, v := range lengths {
				for how, b := range lies(p.files[name], off, v) {
					what := fmt.Sprintf("%s at %d says %d (%s)", name, off, v, how)
					n.add(p.open(t, what, p.disk(name, mend(b))))
				}
			}
		}
	}
	n.demand(t, 2000, 500)
}

// fieldsOf returns where fields of a binary file may begin: in its headers, its frames, and
// the beginning of what these hold.
func fieldsOf(data string) (offs []int) {
	near := func(from, to int) {
		for off := from; off < min(to, len(data)-10); off++ {
			offs = append(offs, off)
		}
	}
	for off := 0; off < len(data); off += 512 {
		for word := off; word < min(off+96, len(data)-10); word += 4 { // a header, a frame, a seal
			offs = append(offs, word)
		}
		near(off+8, off+14)   // the first entry of a block
		near(off+98, off+104) // the first op of a batch
	}
	near(len(data)-48, len(data)-32) // the counts of a footer
	slices.Sort(offs)
	return slices.Compact(offs)
}

// lies puts a number at an offset, as each of the ways in which files spell numbers.
func lies(data string, off int, v uint64) map[string]string {
	le := binary.LittleEndian
	put := func(with []byte) string { return data[:off] + string(with) + data[min(off+len(with), len(data)):] }
	all := map[string]string{"varint": put(binary.AppendUvarint(nil, v))}
	if off%4 == 0 {
		all["4 bytes"], all["8 bytes"] = put(le.AppendUint32(nil, uint32(v))), put(le.AppendUint64(nil, v))
	}
	return all
}

// mender returns what puts the checksums of a file right again; nil for a file of lines.
func (p *prey) mender(name string) func(string) string {
	switch {
	case strings.HasSuffix(name, ".vlog"):
		return p.mendSegment
	case strings.HasPrefix(name, "log/checkpoint-"):
		return p.mendCheckpoint
	case name == "log/durable":
		return func(s string) string { return s[:60] + sum32(batch.Sum([]byte(s[:60]))) + s[64:] }
	}
	return nil
}

func sum32(sum uint32) string { return string(binary.LittleEndian.AppendUint32(nil, sum)) }

func (p *prey) mendSegment(s string) string {
	le, b := binary.LittleEndian, []byte(s)
	le.PutUint32(b[508:], batch.Sum(b[:508]))
	salt := batch.Sum(append(p.store[:], b[32:40]...))
	for off := 512; off+72 <= len(b); off += 8 {
		h := b[off:]
		if h[0] != 'v' || h[1] != 'F' {
			continue
		}
		size := 40
		if h[3]&128 != 0 {
			size = 72
		}
		if n := uint64(le.Uint32(h[4:])); n <= uint64(len(h)-size) {
			le.PutUint32(h[32:], batch.Sum(h[size:][:n]))
		}
		sum := batch.SumMore(salt, le.AppendUint64(nil, uint64(off)))
		le.PutUint32(h[36:], batch.SumMore(batch.SumMore(sum, h[:36]), h[40:size]))
	}
	return string(b)
}

func (p *prey) mendCheckpoint(s string) string {
	le, b := binary.LittleEndian, []byte(s)
	le.PutUint32(b[508:], batch.Sum(b[:508]))
	if n := uint64(le.Uint32(b[512:])); n <= uint64(len(b)-520) {
		sum := batch.Sum(append(append(p.store[:], b[32:40]...), make([]byte, 8)...))
		le.PutUint32(b[516:], batch.SumMore(sum, b[520:][:n]))
	}
	foot := b[len(b)-64:]
	le.PutUint32(foot[4:], batch.Sum(foot[8:]))
	return string(b)
}

// numbers of JSON that no field can hold, or that lie.
var hostileNumbers = []string{"2147483648", "9223372036854775807", "18446744073709551615", "18446744073709551616", "-1", "-9223372036854775808", "1e308", "1e999999999", "0.5", strings.Repeat("9", 2000)}

// TestHostileNumbers has every number in every line say something else, with the sums of
// the lines put right.
func TestHostileNumbers(t *testing.T) { both(t, hostileNumbersIn) }

func hostileNumbersIn(t *testing.T, codec engine.Codec) {
	p := newPrey(t, codec)
	var n tally
	for _, name := range slices.Sorted(maps.Keys(p.files)) {
		data := p.files[name]
		if !strings.HasPrefix(data, "{") {
			continue
		}
		for _, at := range regexp.MustCompile(`":(\d+)[,}]`).FindAllStringSubmatchIndex(data, -1) {
			for _, number := range hostileNumbers {
				what := fmt.Sprintf("%s at %d says %.30s", name, at[2], number)
				n.add(p.open(t, what, p.disk(name, p.mendLines(name, data[:at[2]]+number+data[at[3]:]))))
			}
		}
	}
	n.demand(t, map[engine.Codec]int{engine.Binary: 50, engine.NDJSON: 500}[codec], 10)
}

// mendLines puts the sums of the lines of a file right again.
func (p *prey) mendLines(name, data string) string {
	out := ""
	var salt uint32
	var block string // lines of entries since the last block line
	blocks := uint64(0)
	for line := range strings.Lines(data) {
		body, _, ok := strings.Cut(line, `,"sum":"`)
		place := binary.LittleEndian.AppendUint64(nil, uint64(len(out)))
		var sum uint32
		switch {
		case !ok:
			block += line
			out += line
			continue
		case strings.HasPrefix(line, `{"seq":`) || strings.HasPrefix(line, `{"seal":`):
			sum = batch.SumMore(batch.SumMore(salt, place), []byte(body))
		case strings.HasPrefix(line, `{"block":`):
			sum = batch.SumMore(salt, append(binary.LittleEndian.AppendUint64(nil, blocks), block+body...))
			block, blocks = "", blocks+1
		default:
			sum = batch.Sum([]byte(body))
			salt = p.saltOf(body)
		}
		out += fmt.Sprintf(`%s,"sum":"%08x"}`+"\n", body, sum)
	}
	return out
}

// saltOf returns what the sums of a file begin with: the store, and the epoch of a
// segment or the seq of a checkpoint, as the header says.
func (p *prey) saltOf(header string) uint32 {
	var says struct {
		Epoch string
		Seq   uint64
	}
	if json.Unmarshal([]byte(header+"}"), &says) != nil {
		return 0
	}
	if epoch, err := hex.DecodeString(says.Epoch); err == nil && len(epoch) == 8 {
		says.Seq = binary.BigEndian.Uint64(epoch)
	}
	return batch.Sum(binary.LittleEndian.AppendUint64(p.store[:], says.Seq))
}

// TestHostileFiles has a huge file of nothing in the place of each file, or behind what
// stood there: it is not read into memory.
func TestHostileFiles(t *testing.T) { both(t, hostileFiles) }

func hostileFiles(t *testing.T, codec engine.Codec) {
	p := newPrey(t, codec)
	p.files["log/backup"], p.files[wal.SpareName(1)] = "", ""
	var n tally
	for _, name := range slices.Sorted(maps.Keys(p.files)) {
		for _, data := range []string{"", p.files[name], p.files[name][:len(p.files[name])/2]} {
			mem := p.disk(name, data)
			f, err := mem.Open(name, vfs.ReadWrite)
			if err == nil {
				err = errors.Join(f.Truncate(hugeFile), f.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
			n.add(p.open(t, fmt.Sprintf("%s of %d bytes behind %d", name, hugeFile, len(data)), mem))
		}
	}
	n.demand(t, 30, 5)
}

// hugeFile is far more than opening may allocate, in bytes.
const hugeFile = 256 << 20
