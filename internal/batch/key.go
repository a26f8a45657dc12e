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
	return fmt.Sprintf("space-%d", uint8(s))
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
	if len(k) < 2 {
		return 0
	}
	i := bytes.IndexByte(k[1:min(len(k), MaxTenant+2)], endOfTenant)
	if i < 0 {
		return 0
	}
	return i + 2
}

// SplitKey takes a full key apart; key aliases k. A k that AppendKey did not make
// is fault.ErrCorrupt.
func SplitKey(k []byte) (space Space, tenant string, key []byte, err error) {
	n := PrefixLen(k)
	if n == 0 {
		return 0, "", nil, corrupt("a key of %d bytes has no tenant", len(k))
	}
	tenant = string(k[1 : n-1])
	if tenant == Main {
		return 0, "", nil, corrupt("tenant main is spelled out in a key")
	}
	if tenant == "" {
		return Space(k[0]), Main, k[n:], nil
	}
	if CheckTenant(tenant) != nil {
		return 0, "", nil, corrupt("a key names tenant %q", tenant)
	}
	return Space(k[0]), tenant, k[n:], nil
}

// checkKey is SplitKey without taking apart, cheap for tenant main.
func checkKey(k []byte) error {
	if len(k) > MaxKey+MaxPrefix {
		return corrupt("a key of %d bytes, at most %d", len(k), MaxKey+MaxPrefix)
	}
	if len(k) >= 2 && k[1] == endOfTenant {
		return nil
	}
	_, _, _, err := SplitKey(k)
	return err
}

// checkRange says whether [from, end) is a non-empty range inside one tree.
func checkRange(from, end []byte) error {
	if err := checkKey(from); err != nil {
		return err
	}
	n := PrefixLen(from)
	inside := len(end) >= n && bytes.Equal(end[:n-1], from[:n-1]) &&
		(end[n-1] == endOfTenant || (end[n-1] == endOfTree && len(end) == n))
	if !inside || len(end) > MaxKey+MaxPrefix {
		return corrupt("a range leaves its tree")
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
