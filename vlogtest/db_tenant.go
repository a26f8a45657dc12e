package vlogtest

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/vlogdb/vlog/engine"
)

// tenants: each has keys of its own, and one transaction may work on several.
func (d *dbTest) tenants() {
	ctx, db := d.Context(), d.open(engine.Options{})
	acme, err := db.Tenant("acme")
	d.check(err)
	zeta, err := db.Tenant("zeta")
	d.check(err)
	d.put(zeta, "k=zeta")
	d.put(db.Scope, "k=main")
	d.put(acme, "k=acme")
	d.check(db.Update(ctx, func(_ context.Context, tx *engine.Tx) error {
		other, err := tx.Tenant("acme")
		d.check(err)
		d.shows("another tenant's handle", other, "k=acme")
		d.check(other.Put([]byte("both"), []byte("1")))
		d.check(tx.Put([]byte("both"), []byte("1")))
		d.shows("the first handle", tx, "both=1", "k=main")
		return nil
	}))
	one, err := db.Entry(ctx, []byte("both"))
	d.check(err)
	two, err := acme.Entry(ctx, []byte("both"))
	d.check(err)
	if one.Seq != two.Seq {
		d.Errorf("one transaction became batches %d and %d", one.Seq, two.Seq)
	}
	failed := errors.New("failed")
	d.want("an error", db.Update(ctx, func(_ context.Context, tx *engine.Tx) error {
		other, err := tx.Tenant("zeta")
		return errors.Join(err, other.Put([]byte("x"), nil), tx.Put([]byte("x"), nil), failed)
	}), failed)
	d.holds("main", db.Scope, "both=1", "k=main")
	d.holds("acme", acme, "both=1", "k=acme")
	d.holds("zeta", zeta, "k=zeta")
	if db.Name() != "main" || acme.Name() != "acme" {
		d.Errorf("names %q %q", db.Name(), acme.Name())
	}
	d.tenantsAre(db, "main", "acme", "zeta")
	d.check(acme.DeleteRange(ctx, engine.Range{}))
	d.tenantsAre(db, "main", "zeta")
	d.holds("its neighbours", db.Scope, "both=1", "k=main")
	tx, err := acme.Begin(ctx, engine.Deferred)
	d.check(err)
	other, err := tx.Tenant("main")
	d.check(err)
	d.check(tx.Rollback())
	d.want("a handle on another tenant of what has ended", other.Put([]byte("x"), nil), engine.ErrNotInTx)
}

func (d *dbTest) tenantsAre(db *engine.DB, want ...string) {
	d.Helper()
	var got []string
	for name, err := range db.Tenants(d.Context()) {
		d.check(err)
		got = append(got, name)
	}
	if !slices.Equal(got, want) {
		d.Errorf("tenants %q, want %q", got, want)
	}
}

// tenantNames: a name is allowed or ErrBadName; there is no third.
func (d *dbTest) tenantNames() {
	ctx, db := d.Context(), d.open(engine.Options{})
	tx := d.begin(db, engine.Deferred)
	defer tx.Rollback()
	for _, name := range []string{
		"", ".", "..", ".a", ".lock", "a/b", "/", "/a", "a/", "../a", `a\b`, "a\x00", "\x00", "A", "aB", "CON", "a b", " ", "a:b", "a*", "\u00e9", "e\u0301",
		"\xff", "a\n", strings.Repeat("a", 65), strings.Repeat("a", 4096),
	} {
		_, err := db.Tenant(name)
		d.want("tenant "+name, err, engine.ErrBadName)
		_, err = tx.Tenant(name)
		d.want("tenant in a transaction "+name, err, engine.ErrBadName)
	}
	good := []string{"main", "-", "0", "_", "a", "a.", "a..b", "a.b", "con", "format", "lock", "log", "nul", strings.Repeat("z", 64)}
	for _, name := range good {
		s, err := db.Tenant(name)
		d.check(err)
		d.put(s, "name="+name)
		_, err = tx.Tenant(name)
		d.check(err)
	}
	for _, name := range good {
		s, err := db.Tenant(name)
		d.check(err)
		d.holds(name, s, "name="+name)
	}
	d.tenantsAre(db, good...)
	v, err := db.Get(ctx, []byte("name"))
	d.check(err)
	if string(v) != "main" {
		d.Errorf("the DB is not the tenant main: %q", v)
	}
}

// tenantPrefixes: names and keys that begin alike do not run into each other.
func (d *dbTest) tenantPrefixes() {
	ctx, db := d.Context(), d.open(engine.Options{})
	names := []string{"main", "a", "a-", "a-b", "a.", "aa", "b"}
	var scopes []engine.Scope
	for _, name := range names {
		s, err := db.Tenant(name)
		d.check(err)
		d.put(s, "=", "-=", "\x00=", "\xff=", "a=")
		scopes = append(scopes, s)
	}
	for i, s := range scopes {
		d.check(s.DeleteRange(ctx, engine.Range{}))
		for j, other := range scopes {
			want := 5
			if j <= i {
				want = 0
			}
			if n, err := other.Count(ctx, engine.Range{}); err != nil || n != want {
				d.Errorf("%s has %d keys %v after deleting %s, want %d", names[j], n, err, names[i], want)
			}
		}
	}
}
