package backup

import (
	"errors"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/wal"
)

// TestMatches: a copy that checks out and is not what was planned is an error of the
// source, which says what differs. Of another chain value there is no other sign: the
// file was put in the place of one that had the same header and as many batches.
func TestMatches(t *testing.T) {
	p := piece{name: "log/1", head: wal.Header{First: 1, Epoch: 9}, last: 4, chain: [32]byte{7}}
	good := wal.Segment{Header: p.head, Last: 4, ChainEnd: p.chain, Sealed: true}
	if err := p.matches(&good); err != nil {
		t.Error(err)
	}
	for says, change := range map[string]func(*wal.Segment){
		"another segment than before":             func(s *wal.Segment) { s.Header.Epoch++ },
		"torn":                                    func(s *wal.Segment) { s.Bad = &wal.Bad{Why: "torn"} },
		"ends at #3, not at #4":                   func(s *wal.Segment) { s.Last-- },
		"its seal came or went":                   func(s *wal.Segment) { s.Sealed = false },
		"its chain value is not that of the seal": func(s *wal.Segment) { s.ChainEnd[31]++ },
	} {
		s := good
		change(&s)
		if err := p.matches(&s); !errors.Is(err, fault.ErrCorrupt) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}
