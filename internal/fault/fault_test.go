package fault

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
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
