package batch

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/vlogdb/vlog/internal/fault"
)

// Space is a named part of the map. The numbers are part of the format.
type Space uint8

// The spaces. Sys holds the store's own settings and the counters of writers.
const (
	Sys  Space = 0
	KV   Space = 1
	Doc  Space = 2
	Head Space = 3
	Comm Space = 4
)

// Main is the tenant meant where none is named.
const Main = "main"

// unnamed begins what a space without a name is called.
const unnamed = "space-"

// String returns the space's name.
func (s Space) String() string {
	switch s {
	case Sys:
		return "sys"
	case KV:
		return "kv"
	case Doc:
		return "doc"
	case Head:
		return "head"
	case Comm:
		return "commit"
	}
	return unnamed + strconv.Itoa(int(s))
}

// Tree ends inside a key: the tenant's name is closed by endOfTenant, and a range
// to the end of a tree ends at the byte behind it.
const (
	endOfTenant = 0x00
	endOfTree   = 0x01
)

// CheckTenant returns nil where name is 1 to 64 of a-z 0-9 . _ - and does not
// begin with a dot, else fault.ErrBadName.
func CheckTenant(name string) error {
	bad := func(detail string) error {
		return &fault.Error{Op: "tenant", Err: fault.ErrBadName, Detail: detail, Hint: "use 1 to 64 of a-z 0-9 . _ -, not starting with a dot"}
	}
	if name == "" || len(name) > MaxTenant {
		return bad(fmt.Sprintf("%d bytes long", len(name)))
	}
	if name[0] == '.' {
		return bad(fmt.Sprintf("%q starts with a dot", name))
	}
	if i := strings.IndexFunc(name, notInTenant); i >= 0 {
		return bad(fmt.Sprintf("%q has %q", name, name[i]))
	}
	return nil
}

func notInTenant(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
}

// AppendPrefix appends what all keys of one (space, tenant) begin with. The
// tenant must have passed CheckTenant; main is spelled as nothing.
func AppendPrefix(dst []byte, space Space, tenant string) []byte {
	dst = append(dst, byte(space))
	if tenant != Main {
		dst = append(dst, tenant...)
	}
	return append(dst, endOfTenant)
}

// AppendKey appends the order-preserving form of a key: comparing two forms as
// bytes compares (space, tenant, bytes), main being the first tenant.
func AppendKey(dst []byte, space Space, tenant string, key []byte) []byte {
	return append(AppendPrefix(dst, space, tenant), key...)
}

// AppendTreeEnd appends the first key behind all keys of one (space, tenant).
func AppendTreeEnd(dst []byte, space Space, tenant string) []byte {
	dst = AppendPrefix(dst, space, tenant)
	dst[len(dst)-1] = endOfTree
	return dst
}

// PrefixLen returns how many bytes of a full key are its (space, tenant) prefix,
// or 0 where k is not a well-formed key.
func PrefixLen(k []byte) int {
	if len(k) < mainPrefix {
		return 0
	}
	if k[1] == endOfTenant {
		return mainPrefix
	}
	i := bytes.IndexByte(k[1:min(len(k), MaxPrefix)], endOfTenant)
	if i < 0 {
		return 0
	}
	return i + 2
}

// mainPrefix is the length of the prefix of tenant main.
const mainPrefix = 2

// SplitKey takes a full key apart; key aliases k. A k that AppendKey did not make
// is fault.ErrCorrupt. How long the key is does not matter.
func SplitKey(k []byte) (space Space, tenant string, key []byte, err error) {
	n, err := prefix(k)
	if err != nil {
		return 0, "", nil, err
	}
	if n == mainPrefix {
		return Space(k[0]), Main, k[n:], nil
	}
	return Space(k[0]), string(k[1 : n-1]), k[n:], nil
}

// prefix is PrefixLen of a key that must be well-formed. It allocates nothing.
func prefix(k []byte) (int, error) {
	n := PrefixLen(k)
	switch {
	case n == 0:
		return 0, corrupt("a key of %d bytes has no tenant", len(k))
	case n == mainPrefix:
		return n, nil
	}
	tenant := k[1 : n-1]
	if string(tenant) == Main {
		return 0, corrupt("tenant main is spelled out in a key")
	}
	if tenant[0] == '.' || bytes.IndexFunc(tenant, notInTenant) >= 0 {
		return 0, corrupt("a key names tenant %q", tenant)
	}
	return n, nil
}

// checkKey is prefix for a key that must not be too long either.
func checkKey(k []byte) (int, error) {
	n, err := prefix(k)
	if err == nil && len(k)-n > MaxKey {
		return 0, corrupt("a key of %d bytes, at most %d", len(k)-n, MaxKey)
	}
	return n, err
}

// checkRange says whether [from, end) is a non-empty range inside one tree. Its
// end is a key that could be there, or the end of the tree: any longer end has the
// same keys before it as one of those.
func checkRange(from, end []byte) error {
	n, err := checkKey(from)
	if err != nil {
		return err
	}
	inside := len(end) >= n && bytes.Equal(end[:n-1], from[:n-1]) &&
		(end[n-1] == endOfTenant || (end[n-1] == endOfTree && len(end) == n))
	if !inside {
		return corrupt("a range leaves its tree")
	}
	if len(end)-n > MaxKey {
		return corrupt("a range that ends at a key of %d bytes, at most %d", len(end)-n, MaxKey)
	}
	if bytes.Compare(from, end) >= 0 {
		return corrupt("an empty range")
	}
	return nil
}

// NextPrefix returns the first key behind all keys that begin with p, or nil
// where there is none (p is empty or all 0xff).
func NextPrefix(p []byte) []byte {
	end := bytes.Clone(p)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] != 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}

// Quote returns a key for people: as it is where it is plain text, else quoted,
// cut after 80 bytes.
func Quote(key []byte) string {
	const most = 80
	more := ""
	if len(key) > most {
		key, more = key[:most], "…"
	}
	q := strconv.Quote(string(key))
	if plain := q[1 : len(q)-1]; plain == string(key) && !strings.ContainsAny(plain, " ") && plain != "" {
		return plain + more
	}
	return q + more
}
