package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/engine"
)

// TestDemoFinds makes what a faulty engine would leave of the first ten
// transactions, and expects the demonstration to name it.
func TestDemoFinds(t *testing.T) {
	d := &demo{a: &app{out: io.Discard}, dir: filepath.Join(t.TempDir(), "store"), acked: map[int]bool{0: true, 9: true}}
	var err error
	if d.groups, err = demoGroups(); err != nil {
		t.Fatal(err)
	}
	d.groups = d.groups[:11]
	city, last := d.groups[9][0], d.groups[10][0]
	wrong := map[string]func(*engine.Tx) error{
		"":                                func(*engine.Tx) error { return nil },
		"was acknowledged":                func(tx *engine.Tx) error { return d.dropGroup(tx, 9) },
		string(cityKey(city)) + ": ":      func(tx *engine.Tx) error { return tx.Delete(cityKey(city)) },
		string(cityKey(city)) + " holds ": func(tx *engine.Tx) error { return tx.Put(cityKey(city), []byte("{}")) },
		string(cityKey(last)) + " is ":    func(tx *engine.Tx) error { return tx.Put(cityKey(last), []byte("{}")) },
		"its cities have":                 func(tx *engine.Tx) error { return tx.Put(countryKey(city.Country), []byte("1")) },
		"countries have a sum":            func(tx *engine.Tx) error { return tx.Delete(countryKey(city.Country)) },
		"the log holds":                   func(tx *engine.Tx) error { return tx.Put([]byte("more"), nil) },
	}
	for want, change := range wrong {
		err := d.leave(t.Context(), change)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", want, err)
		}
	}
}

// leave makes a store with the first ten transactions, changes something behind
// them, and verifies it.
func (d *demo) leave(ctx context.Context, change func(*engine.Tx) error) error {
	db, err := engine.OpenMemory(ctx, engine.Options{})
	if err != nil {
		return err
	}
	for n, group := range d.groups[:10] {
		err = errors.Join(err, demoWrite(ctx, db, group, n))
	}
	err = errors.Join(err, db.Update(ctx, func(_ context.Context, tx *engine.Tx) error { return change(tx) }))
	if err == nil {
		_, err = d.verify(ctx, db, false)
	}
	return errors.Join(err, db.Close())
}

func (d *demo) dropGroup(tx *engine.Tx, n int) error {
	err := tx.Delete(groupKey(n))
	for _, c := range d.groups[n] {
		err = errors.Join(err, tx.Delete(cityKey(c)))
	}
	return err
}

// TestDemoAcks: only whole lines count, each transaction once, and the kill comes
// with the one asked for.
func TestDemoAcks(t *testing.T) {
	groups, err := demoGroups()
	if err != nil {
		t.Fatal(err)
	}
	for text, good := range map[string]bool{"0\n2\n1\n3": true, "0\n2\n2\n": false, "0\nx\n": false, "0\n1000\n": false, "-1\n": false} {
		d, kills := &demo{groups: groups, acked: map[int]bool{}}, 0
		err := d.readAcks(strings.NewReader(text), 2, func() error { kills++; return nil })
		if (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
		if good && (len(d.acked) != 3 || kills != 1) {
			t.Errorf("%q: %d acknowledged, %d kills", text, len(d.acked), kills)
		}
	}
}

// TestDemoEnd: a writer that finished or failed does not pass for one that was killed.
func TestDemoEnd(t *testing.T) {
	d := &demo{acked: map[int]bool{0: true, 1: true}}
	if err := d.ended(io.ErrUnexpectedEOF, 2); err != nil {
		t.Error(err)
	}
	if err := d.ended(nil, 2); err == nil || !strings.Contains(err.Error(), "by itself") {
		t.Error(err)
	}
	if err := d.ended(io.ErrUnexpectedEOF, 3); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}
