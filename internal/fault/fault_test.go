package fault

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"strings"
	"testing"
)

// TestKinds: every sentinel that is declared is listed once, with a code of its own
// and words for people.
func TestKinds(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "fault.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "Err") {
			declared++
		}
		return true
	})
	codes := map[string]bool{}
	for _, k := range Kinds() {
		codes[k.Code()] = true
		if k.Code() != strings.ToUpper(k.Code()) || k.Error() == "" || k.Hint() == "" || k.Exit() < 1 || k.Exit() == 2 {
			t.Errorf("%+v", k)
		}
	}
	if len(codes) != declared || len(Kinds()) != declared {
		t.Errorf("%d declared, %d listed, %d codes", declared, len(Kinds()), len(codes))
	}
}

func TestError(t *testing.T) {
	place := Place{Path: "log/1", Offset: 512, Seq: 7}
	for want, e := range map[string]*Error{
		"damaged": {Err: ErrCorrupt},
		"open: log/1 offset 512 #7: damaged: torn: EOF": {Op: "open", At: place, Err: ErrCorrupt, Detail: "torn", Cause: io.EOF},
		"#7: closed":                          {At: Place{Seq: 7}, Err: ErrClosed},
		"open: locked by another opener: EOF": {Op: "open", Err: ErrLocked, Cause: io.EOF},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		wrapped := fmt.Errorf("more: %w", e)
		found, ok := errors.AsType[*Error](wrapped)
		if !ok || found != e || KindOf(wrapped) != e.Err || !errors.Is(wrapped, e.Err) || errors.Is(wrapped, ErrExists) {
			t.Errorf("%q is not found", want)
		}
		if errors.Is(e, io.EOF) != (e.Cause != nil) {
			t.Errorf("%q: cause", want)
		}
	}
	if KindOf(nil) != nil || KindOf(io.EOF) != nil {
		t.Error("a kind of nothing")
	}
	if e := (&Error{Err: ErrCorrupt}); e.Advice() != ErrCorrupt.Hint() {
		t.Error(e.Advice())
	}
	if e := (&Error{Err: ErrCorrupt, Hint: "better"}); e.Advice() != "better" {
		t.Error(e.Advice())
	}
	both := &Error{Err: ErrPoisoned, Cause: &Error{Err: ErrNoSpace}}
	if KindOf(both) != ErrPoisoned || !errors.Is(both, ErrNoSpace) {
		t.Error("outer kind first, inner one found")
	}
	wide := &Kind{code: "X", text: "x", is: ErrConflict}
	if !errors.Is(&Error{Err: wide}, ErrConflict) || errors.Is(ErrConflict, wide) || wide.Is(io.EOF) {
		t.Error("the wider class")
	}
}

// TestNothingTwice: what the cause says again is said once, what it adds stays.
func TestNothingTwice(t *testing.T) {
	store, file := Place{Path: "s"}, Place{Path: "s/LOCK"}
	for want, e := range map[string]*Error{
		"open: s: permission denied":                                                       {Op: "open", At: store, Err: ErrDenied, Cause: errors.New("permission denied")},
		"open: s: Permission denied.":                                                      {Op: "open", At: store, Err: ErrDenied, Cause: errors.New("Permission denied.")},
		"write: s: no space left on device":                                                {Op: "write", At: store, Err: ErrNoSpace, Cause: errors.New("no space left on device")},
		"write: s: no space left: disk quota exceeded":                                     {Op: "write", At: store, Err: ErrNoSpace, Cause: errors.New("disk quota exceeded")},
		"write: s: no space left on device: then it got worse":                             {Op: "write", At: store, Err: ErrNoSpace, Cause: errors.New("no space left on device"), Detail: "then it got worse"},
		"open: s: not found":                                                               {Op: "open", At: store, Err: ErrNotFound, Cause: fs.ErrNotExist},
		"open: s: not found: gone":                                                         {Op: "open", At: store, Err: ErrNotFound, Cause: errors.New("gone")},
		"open: s: damaged: file does not exist":                                            {Op: "open", At: store, Err: ErrCorrupt, Cause: fs.ErrNotExist},
		"open: s: not a vlog store: not found":                                             {Op: "open", At: store, Err: ErrNotStore, Cause: &Error{Op: "stat", At: store, Err: ErrNotFound, Cause: fs.ErrNotExist}},
		"open: s: not a vlog store: s/LOCK: permission denied":                             {Op: "open", At: store, Err: ErrNotStore, Cause: &Error{Op: "open", At: file, Err: ErrDenied}},
		"close: s: stopped writing after a failed write: sync: s/LOCK: input/output error": {Op: "close", At: store, Err: ErrPoisoned, Cause: &Error{Op: "sync", At: file, Err: ErrIO, Cause: errors.New("input/output error")}},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	inner := &Error{Op: "open", At: store, Err: ErrNotFound}
	if _ = (&Error{Op: "open", At: store, Err: ErrNotStore, Cause: inner}).Error(); inner.Op != "open" || inner.At != store {
		t.Error("telling an error changed its cause")
	}
}
