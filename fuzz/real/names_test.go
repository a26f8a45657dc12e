package real

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/engine"
)

// TestNames uses as keys, and as tenants where that is allowed, what file systems trip
// over: names alike but for case or for how an accent is spelled, the names of a store's
// own files, of devices, of parents. Each is its own key, and no file is made for any.
func TestNames(t *testing.T) { both(t, testNames) }

func testNames(t *testing.T, codec engine.Codec) {
	dir := filepath.Join(t.TempDir(), "store")
	db := open(t, dir, plain(codec))
	keys := []string{"", ".", "..", "/", "../../etc/passwd", "a/b", "a\x00b", "\x00", "CON", "nul", "-rf", "--help", "a", "A", "\u00e9", "e\u0301", "ß", "SS", "ı", "I",
		"FORMAT", "LOCK", "log/backup", "recover", "truncate", "truncate_flag", "error", ".FORMAT0001.tmp", "\xff\xfe", "\xed\xa0\x80", "a\r\nb", strings.Repeat("k", 4096)}
	tenants := []string{"main", "a", "con", "nul", "backup", "recover", "truncate", "truncate_flag", "error", "log", "lock", "format", "-", "_", "0", "a.", "-rf", strings.Repeat("t", 64)}
	refused := []string{"", ".", "..", ".a", "A", "Main", "\u00e9", "e\u0301", "a/b", "a\\b", "a\x00", "a b", "a\n", strings.Repeat("t", 65), "FORMAT", "LOCK"}
	before := names(t, filepath.Dir(dir))
	for _, tenant := range tenants {
		s, err := db.Tenant(tenant)
		check(t, err)
		for _, key := range keys {
			check(t, s.Put(t.Context(), []byte(key), []byte(tenant+"|"+key)))
		}
	}
	for _, tenant := range refused {
		if _, err := db.Tenant(tenant); !errors.Is(err, engine.ErrBadName) {
			t.Errorf("tenant %q: %v", tenant, err)
		}
	}
	check(t, db.Close())
	db = open(t, dir, plain(codec))
	for _, tenant := range tenants {
		s, err := db.Tenant(tenant)
		check(t, err)
		var found []string
		for e, err := range s.Scan(t.Context(), engine.Range{}) {
			if check(t, err); !bytes.Equal(e.Value, []byte(tenant+"|"+string(e.Key))) {
				t.Errorf("%q of %q is %q", e.Key, tenant, e.Value)
			}
			found = append(found, string(e.Key))
		}
		if sorted := slices.Sorted(slices.Values(keys)); !slices.Equal(found, sorted) {
			t.Errorf("tenant %q has %q, put were %q", tenant, found, sorted)
		}
	}
	check(t, db.Close())
	for line := range strings.Lines(names(t, filepath.Dir(dir))) {
		if name, _, _ := strings.Cut(line, " "); !strings.Contains(before, name+" ") && !strings.HasPrefix(filepath.Base(name), "0") {
			t.Errorf("%s was made", name)
		}
	}
}
