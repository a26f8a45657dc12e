package recovery

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// line makes a FORMAT line with a right checksum of a JSON object.
func line(object string) string { return string(sealLine([]byte(object))) }

func object(version int, compatible, readable, incompatible, uuid, codec string) string {
	return fmt.Sprintf(`{"format":%d,"features":{"compatible":[%s],"read_only_compatible":[%s],"incompatible":[%s]},"uuid":"%s","codec":"%s","created":"2026-01-02T03:04:05Z","documentation":""}`,
		version, compatible, readable, incompatible, uuid, codec)
}

func uuidOf(t testing.TB, f files) string {
	t.Helper()
	format, err := decodeFormat([]byte(f[FormatName]))
	check(t, err)
	return format.UUID
}

// TestFormatLines opens a store with FORMAT put by hand: what opens, for writing and
// for reading, and with which error not.
func TestFormatLines(t *testing.T) { both(t, testFormatLines) }

func testFormatLines(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	id := uuidOf(t, n.closed)
	for name, c := range map[string]struct {
		line           string
		writing, reads *fault.Kind
	}{
		"as it is":                      {n.closed[FormatName], nil, nil},
		"spelled here":                  {line(object(0, "", "", "", id, codec.String())), nil, nil},
		"unknown field":                 {line(strings.Replace(object(0, "", "", "", id, codec.String()), "{", `{"later":1,`, 1)), nil, nil},
		"compatible feature":            {line(object(0, `"x"`, "", "", id, codec.String())), nil, nil},
		"read-only compatible feature":  {line(object(0, "", `"x"`, "", id, codec.String())), fault.ErrIncompatible, nil},
		"incompatible feature":          {line(object(0, "", "", `"x"`, id, codec.String())), fault.ErrIncompatible, fault.ErrIncompatible},
		"codec of the future":           {line(object(0, "", "", "", id, "ndjson2")), fault.ErrIncompatible, fault.ErrIncompatible},
		"no codec":                      {line(object(0, "", "", "", id, "")), fault.ErrIncompatible, fault.ErrIncompatible},
		"format 1":                      {line(object(1, "", "", "", id, codec.String())), fault.ErrIncompatible, fault.ErrIncompatible},
		"format 1, all else unknown":    {line(`{"format":1,"shape":"round"}`), fault.ErrIncompatible, fault.ErrIncompatible},
		"format 1 and another checksum": {`{"format":1,"sum":"sha-4096"}` + "\n", fault.ErrIncompatible, fault.ErrIncompatible},
		"format -1":                     {line(object(-1, "", "", "", id, codec.String())), fault.ErrIncompatible, fault.ErrIncompatible},
		"another store's":               {line(object(0, "", "", "", "00000000-0000-7000-8000-000000000001", codec.String())), fault.ErrForeign, fault.ErrForeign},
		"no uuid":                       {line(object(0, "", "", "", "", "binary")), fault.ErrCorrupt, fault.ErrCorrupt},
		"short uuid":                    {line(object(0, "", "", "", id[:10], "binary")), fault.ErrCorrupt, fault.ErrCorrupt},
		"no checksum":                   {object(0, "", "", "", id, codec.String()) + "\n", fault.ErrCorrupt, fault.ErrCorrupt},
		"twice":                         {n.closed[FormatName] + n.closed[FormatName], fault.ErrCorrupt, fault.ErrCorrupt},
		"empty":                         {"", fault.ErrCorrupt, fault.ErrCorrupt},
		"zeros":                         {strings.Repeat("\x00", 300), fault.ErrCorrupt, fault.ErrCorrupt},
		"no format":                     {line(`{"uuid":"` + id + `"}`), fault.ErrCorrupt, fault.ErrCorrupt},
		"format as text":                {line(`{"format":"0"}`), fault.ErrCorrupt, fault.ErrCorrupt},
		"too large":                     {line(strings.Replace(object(0, "", "", "", id, codec.String()), `"documentation":"`, `"documentation":"`+strings.Repeat("x", maxFormat), 1)), fault.ErrCorrupt, fault.ErrCorrupt},
		"very deep":                     {line(`{"format":0,"x":` + strings.Repeat("[", 100000) + `}`), fault.ErrCorrupt, fault.ErrCorrupt},
	} {
		f := n.closed.with(FormatName, c.line)
		for _, o := range []struct {
			opts Options
			want *fault.Kind
		}{{small(5), c.writing}, {readOnly(), c.reads}} {
			what := fmt.Sprintf("%s, read-only %v", name, o.opts.ReadOnly)
			if o.want != nil {
				refuses(t, what, f, o.want, o.opts)
				continue
			}
			s, err := Open(t.Context(), f.disk(t), o.opts)
			if err != nil {
				t.Errorf("%s: %v", what, err)
			} else if s.ID != n.id || len(contentOf(s.Picture)) != len(n.hist[11]) {
				t.Errorf("%s: store %x", what, s.ID)
			}
		}
	}
}

// TestFormatFlipped: with any byte of FORMAT damaged there is no store of another
// name, version or features, only an error.
func TestFormatFlipped(t *testing.T) { both(t, testFormatFlipped) }

func testFormatFlipped(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	good := n.closed[FormatName]
	for i := range good {
		for bit := range 8 {
			b := []byte(good)
			b[i] ^= 1 << bit
			_, err := decodeFormat(b)
			if k := fault.KindOf(err); k != fault.ErrCorrupt {
				t.Fatalf("bit %d of byte %d (%q): %v", bit, i, b[max(i-3, 0):min(i+4, len(b))], err)
			}
		}
		if _, err := decodeFormat([]byte(good[:i])); fault.KindOf(err) != fault.ErrCorrupt {
			t.Fatalf("cut to %d: %v", i, err)
		}
		if i%16 == 0 {
			refuses(t, fmt.Sprint("byte ", i), n.closed.flip(FormatName, i), fault.ErrCorrupt, small(5))
		}
	}
}

// TestNewFormat: what is written is read, and ids are UUIDs of version 7.
func TestNewFormat(t *testing.T) {
	opts := small(3)
	opts.Documentation = "line\n\"quoted\" é \u2028"
	f := newFormat(opts)
	b, err := f.encode()
	check(t, err)
	got, err := decodeFormat(b)
	check(t, err)
	if got.UUID != f.UUID || got.Documentation != opts.Documentation || !got.Created.Equal(now()) || got.Codec != "binary" || got.Version != 0 {
		t.Errorf("%+v", got)
	}
	if strings.Count(string(b), "\n") != 1 || !strings.HasPrefix(string(b), `{"format":0,"features":{"compatible":[],`) {
		t.Errorf("%s", b)
	}
	for i, at := range []time.Time{now(), time.Unix(0, 0), now().Add(1000 * time.Hour)} {
		id := newUUID(counting(uint64(i)), at.UnixNano())
		ms := fmt.Sprintf("%012x", at.UnixMilli())
		if len(id) != 36 || id[14] != '7' || !strings.ContainsRune("89ab", rune(id[19])) || id[:8]+id[9:13] != ms {
			t.Errorf("%s at %s", id, ms)
		}
	}
}

// TestClassify names every name.
func TestClassify(t *testing.T) {
	seq := strings.Repeat("0", 19) + "7"
	for _, c := range []struct {
		path string
		dir  bool
		want Class
	}{
		{"FORMAT", false, ClassFormat}, {"LOCK", false, ClassLock}, {"log", true, ClassLogDir}, {"log/error", true, ClassErrorDir},
		{"log/" + seq + ".vlog", false, ClassSegment}, {"log/checkpoint-" + seq, false, ClassCheckpoint}, {"log/durable", false, ClassDurable},
		{"log/backup", false, ClassBackup}, {"log/recover", false, ClassFlag}, {"log/truncate", false, ClassFlag}, {"log/truncate_flag", false, ClassFlag},
		{"log/spare-3", false, ClassSpare}, {"log/copy.tmp", false, ClassTemp}, {"log/error/" + seq + ".vlog-1024-0123456789abcdef", false, ClassKept},
		{"log/error/" + seq + ".vlog-1024-0123456789abcdef.tmp", false, ClassTemp}, {"log/error/x.tmp", false, Unknown},
		{".FORMAT.tmp", false, ClassTemp}, {".FORMAT.12.tmp", false, ClassTemp}, {".FORMAT123456789", false, ClassTemp},
		{"FORMAT", true, Unknown}, {"LOCK", true, Unknown}, {"log", false, Unknown}, {"log/error", false, Unknown}, {"log/backup", true, Unknown},
		{"log/" + seq + ".vlog", true, Unknown}, {"format", false, Unknown}, {"FORMAT2", false, Unknown}, {"log/LOCK", false, Unknown}, {"log/FORMAT", false, Unknown},
		{"log/7.vlog", false, Unknown}, {"log/" + seq, false, Unknown}, {"log/checkpoint-7", false, Unknown}, {"log/spare-03", false, Unknown},
		{"log/spare-0", false, Unknown}, {"log/error/x", false, Unknown}, {"log/error/" + seq + ".vlog-1024-0123456789ABCDEF", false, Unknown},
		{"log/error/" + seq + ".vlog--0123456789abcdef", false, Unknown},
		{"log/error/" + seq + ".vlog-1024-0123456789abcde", false, Unknown}, {"log/error/a/" + seq + ".vlog-1024-0123456789abcdef", false, Unknown},
		{"log/error/sub", true, Unknown}, {"log/recover.tmp", false, Unknown}, {"log/.recover", false, Unknown}, {"notes.txt", false, Unknown}, {"tenants", true, Unknown},
		// Files of others that look temporary are not ours to remove.
		{".gitignore", false, Unknown}, {".env", false, Unknown}, {".DS_Store", false, Unknown}, {"notes.tmp", false, Unknown}, {".FORMATS", false, Unknown},
		{".LOCK.tmp", false, Unknown}, {".FORMAT.tmp", true, Unknown}, {".FORMAT", false, Unknown},
	} {
		if got := Classify(c.path, c.dir); got != c.want {
			t.Errorf("%s, directory %v: %d, want %d", c.path, c.dir, got, c.want)
		}
	}
}

// TestReplacementNamesAreTemp asks the file systems themselves which names a
// replacement of FORMAT may leave.
func TestReplacementNamesAreTemp(t *testing.T) {
	real, err := vfs.OpenOS(t.TempDir())
	check(t, err)
	for _, fsys := range []vfs.FS{real, vfs.NewMem(vfs.MemOptions{})} {
		fail := vfs.NewFail(fsys, vfs.When(vfs.OnKind(vfs.OpRename, vfs.OpRemove), vfs.Always(fault.ErrIO)))
		if err := fail.Replace(FormatName, []byte("x")); err == nil {
			t.Fatal("replaced")
		}
		all, err := Files(fsys)
		check(t, err)
		if len(all) != 1 || all[0].Class != ClassTemp {
			t.Errorf("%+v", all)
		}
	}
	check(t, real.Close())
}

// TestNotAStore: other people's directories are told from stores and not touched.
func TestNotAStore(t *testing.T) { both(t, testNotAStore) }

func testNotAStore(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	seg := n.closed.segments()[0]
	for name, f := range map[string]files{
		"a file":                  {"notes.txt": "x"},
		"a dot file":              {".env": "SECRET=1"},
		"a temporary file":        {"report.tmp": "x"},
		"a directory":             {"src/": ""},
		"a log of others":         {"log/": "", "log/access.log": "x"},
		"a lock and more":         {"LOCK": "", "package.json": "{}"},
		"a segment and no FORMAT": {"LOCK": "", "log/": "", seg: n.closed[seg]},
		"FORMAT gone":             n.closed.with(FormatName, gone),
		"FORMAT is a directory":   n.closed.with(FormatName, gone).with(FormatName+"/", ""),
		"format in small letters": {"format": n.closed[FormatName]},
		"an empty FORMAT.bak":     {"FORMAT.bak": ""},
	} {
		want := fault.ErrNotStore
		if strings.Contains(name, "is a directory") {
			want = fault.ErrNotRegular
		}
		for _, opts := range []Options{small(5), readOnly(), {MustExist: true, Rand: counting(1), Now: now}, {MustNotExist: true, Rand: counting(1), Now: now}} {
			refuses(t, name, f, want, opts)
		}
	}
	must := small(5)
	must.MustExist = true
	refuses(t, "empty, must exist", files{}, fault.ErrNotStore, must)
	refuses(t, "empty, read-only", files{}, fault.ErrNotStore, readOnly())
	mustNot := small(5)
	mustNot.MustNotExist = true
	refuses(t, "there, must not exist", n.closed, fault.ErrExists, mustNot)
	mustNot.Documentation = strings.Repeat("x", maxDocumentation+1)
	refuses(t, "documentation", files{}, fault.ErrTooLarge, mustNot)
}

// TestUnknownFilesStay: reported, left alone; spares and temporary files go.
func TestUnknownFilesStay(t *testing.T) { both(t, testUnknownFilesStay) }

func testUnknownFilesStay(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	f := n.closed
	unknown := []string{".gitignore", "mirror/", "log/notes", "log/checkpoint-8", "report.tmp", "log/sub/"}
	for _, path := range unknown {
		f = f.with(path, "x")
	}
	gone := []string{".FORMAT.tmp", "log/spare-1", "log/spare-22"}
	for _, path := range gone {
		f = f.with(path, "x")
	}
	for path := range f {
		if strings.HasSuffix(path, "/") {
			f[path] = ""
		}
	}
	r := n.opens(t, "unknown", f, 11)
	slices.Sort(r.Unknown)
	if want := []string{".gitignore", "log/checkpoint-8", "log/notes", "log/sub", "mirror", "report.tmp"}; !slices.Equal(r.Unknown, want) {
		t.Errorf("unknown: %v", r.Unknown)
	}
	if slices.Sort(r.Removed); !slices.Equal(r.Removed, gone) {
		t.Errorf("removed: %v", r.Removed)
	}
	m := f.disk(t)
	s, err := Open(t.Context(), m, small(4))
	check(t, err)
	check(t, s.Writer.Close())
	after := dump(t, m)
	for _, path := range unknown {
		if _, ok := after[path]; !ok {
			t.Errorf("%s has gone", path)
		}
	}
	for _, path := range gone {
		if _, ok := after[path]; ok {
			t.Errorf("%s is left", path)
		}
	}
}
