package vfs

import (
	"errors"
	"sync/atomic"
)

// Injector decides which operations fail. Fail is called before each one, reads
// included, from any goroutine; nil lets it pass.
type Injector interface {
	Fail(op Op) error
}

// InjectorFunc is an Injector made of a function.
type InjectorFunc func(op Op) error

// Fail calls the function.
func (fn InjectorFunc) Fail(op Op) error { return fn(op) }

// Fail is an FS that fails on demand. Op.N counts all operations, reads included.
type Fail struct {
	wrap
	inj      Injector
	drops    func(op Op) bool
	injected atomic.Int64
}

var _ FS = (*Fail)(nil)

// NewFail wraps fs so that inj decides what fails. An injected sentinel of package
// fault or error number of the system arrives as a *fault.Error, as a real one would.
//
// An operation that fails is not carried out, except that a close closes all the
// same, and that a write which fails with Short writes its first half.
func NewFail(fs FS, inj Injector) *Fail {
	f := &Fail{inj: inj}
	f.fs, f.around = fs, f.perhaps
	return f
}

// DropOnSync lets each sync of a file that is made to fail, and that which matches,
// do what the system does then (see Mem.DropDirty). It returns f.
//
// It is done to the file that is open and not to what its name leads to: a file is
// often renamed while it is open, and then the old name leads nowhere.
func (f *Fail) DropOnSync(which func(op Op) bool) *Fail {
	f.drops = which
	return f
}

// dropDirty drops the unsynced writes of a file, where it can be told to.
func dropDirty(file File) error {
	d, ok := file.(interface{ DropDirty() error })
	if !ok {
		return fail("dropdirty", "", errors.New("only a file of a Mem can lose its pages"))
	}
	return d.DropDirty()
}

// Injected returns how many errors were injected so far.
func (f *Fail) Injected() int { return int(f.injected.Load()) }

// Ops returns how many operations were asked for so far, failed ones included.
func (f *Fail) Ops() int { return int(f.n.Load()) }

func (f *Fail) perhaps(op Op, do func(op Op) error) error {
	injected := f.inj.Fail(op)
	if injected == nil {
		return do(op)
	}
	f.injected.Add(1)
	short, isShort := errors.AsType[shortError](injected)
	if isShort {
		injected = short.error
	}
	err := fail(op.Kind.String(), op.Name, injected)
	switch {
	case op.Kind == OpClose || op.Kind == OpUnlock:
		return also(err, do(op))
	case op.Kind == OpWrite && isShort:
		op.Len /= 2
		return also(err, do(op))
	case op.Kind == OpSync && f.drops != nil && f.drops(op):
		return also(err, dropDirty(op.file))
	}
	return err
}

// shortError marks an injected error that comes after half of a write.
type shortError struct{ error }

// Unwrap returns the error that was marked.
func (e shortError) Unwrap() error { return e.error }

// Short marks err, so that a write which fails with it writes its first half
// before. On other operations it is err.
func Short(err error) error { return shortError{err} }

// Always fails every operation with err.
func Always(err error) Injector {
	return InjectorFunc(func(Op) error { return err })
}

// Nth fails the n-th operation that it is asked about with err, 1 being the
// first, and no other: "once, then success".
func Nth(n int, err error) Injector {
	return counted(func(i int64) bool { return i == int64(n) }, err)
}

// From fails the n-th operation that it is asked about and all later ones.
func From(n int, err error) Injector {
	return counted(func(i int64) bool { return i >= int64(n) }, err)
}

func counted(hit func(i int64) bool, err error) Injector {
	asked := new(atomic.Int64)
	return InjectorFunc(func(Op) error {
		if hit(asked.Add(1)) {
			return err
		}
		return nil
	})
}

// When asks inj only about the operations that match; Nth and From below it
// count only these.
func When(match func(op Op) bool, inj Injector) Injector {
	return InjectorFunc(func(op Op) error {
		if match(op) {
			return inj.Fail(op)
		}
		return nil
	})
}

// Any asks all of several, and returns the first error.
func Any(inj ...Injector) Injector {
	return InjectorFunc(func(op Op) error {
		var first error
		for _, in := range inj {
			if err := in.Fail(op); first == nil {
				first = err
			}
		}
		return first
	})
}
