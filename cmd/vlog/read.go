package main

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
)

func number(n uint64) string { return strconv.FormatUint(n, 10) }

func (a *app) getCommand() *cobra.Command {
	var raw bool
	var k keyFlags
	var at momentFlag
	cmd := &cobra.Command{Use: "get DIR KEY [flags]", Short: "Print a value",
		Long: `Print a value. Text that does not end in a newline gets one; with --raw, and for
other bytes, the value is printed as it is. With --json a value that is not UTF-8
comes in base64 as value_b64; so do keys. With --at it is the value of then, and the
field at says behind which batch that is.`,
		Example: `  vlog get ./data users/42
  vlog get ./data users/42 --at -1h
  vlog get ./data -t acme mesh/7 --raw > mesh.bin
  vlog get ./data --key-b64 /wA= --json`,
		ValidArgsFunction: a.completeKeys, RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.take(args, 1, 1)
			if err != nil {
				return err
			}
			key, err := k.bytes(w.rest[0])
			if err != nil {
				return err
			}
			m, err := at.moment(cmd, a)
			if err != nil {
				return err
			}
			return a.read(cmd.Context(), w.dir, func(db *engine.DB) error {
				s, err := a.look(cmd.Context(), db, m)
				if err != nil {
					return err
				}
				return a.get(cmd.Context(), s, key, raw)
			})
		}}
	k.addKeyB64(cmd)
	at.add(cmd, "at", "the value as it was")
	cmd.Flags().BoolVar(&raw, "raw", false, "print the value and nothing else")
	return cmd
}

func (a *app) get(ctx context.Context, s looked, key []byte, raw bool) error {
	e, err := s.Entry(ctx, key)
	if errors.Is(err, engine.ErrNotFound) {
		return s.missing(ctx, key)
	}
	if err != nil {
		return err
	}
	if a.json {
		o := s.entryLine(e)
		o.Value, o.ValueB64 = textOrB64(e.Value)
		return a.line(o)
	}
	text := utf8.Valid(e.Value) && !bytes.HasSuffix(e.Value, []byte("\n"))
	if text && !raw {
		return a.print("%s", e.Value)
	}
	_, err = a.out.Write(e.Value)
	return err
}

// entryLine is an entry in JSON. Bytes that are not UTF-8 stand in the field whose
// name ends in _b64.
type entryLine struct {
	Tenant   string  `json:"tenant"`
	Key      *string `json:"key,omitempty"`
	KeyB64   *string `json:"key_b64,omitempty"`
	Value    *string `json:"value,omitempty"`
	ValueB64 *string `json:"value_b64,omitempty"`
	Size     *int    `json:"size,omitempty"` // of the value
	Seq      uint64  `json:"seq"`
	At       *uint64 `json:"at,omitempty"` // newest batch that is seen of a past
}

func (l looked) entryLine(e engine.Entry) entryLine {
	o := entryLine{Tenant: l.tenant, Size: new(len(e.Value)), Seq: e.Seq, At: l.at}
	o.Key, o.KeyB64 = textOrB64(e.Key)
	return o
}

// noKey is the error for a key that is not there; near is the nearest that is.
type noKey struct {
	tenant    string
	key, near []byte
	at        *uint64 // newest batch that is seen of a past
}

func (n *noKey) Error() string {
	s := n.tenant + " " + quoted(string(n.key)) + ": not found"
	if n.at != nil {
		s += " at #" + number(*n.at)
	}
	if n.near != nil {
		s += " (nearest: " + quoted(string(n.near)) + ")"
	}
	return s
}

func (n *noKey) Unwrap() error { return engine.ErrNotFound }

// missing returns a noKey with the nearest key.
func (l looked) missing(ctx context.Context, key []byte) error {
	near, err := nearest(ctx, l, key)
	if err != nil {
		return err
	}
	return &noKey{l.tenant, key, near, l.at}
}

// nearest returns the neighbour of a key that shares more of its beginning.
func nearest(ctx context.Context, s reading, key []byte) ([]byte, error) {
	var best []byte
	for _, r := range []engine.Range{{From: key}, {To: key, Reverse: true}} {
		for e, err := range s.Scan(ctx, r) {
			if err != nil {
				return nil, err
			}
			if best == nil || common(e.Key, key) > common(best, key) {
				best = bytes.Clone(e.Key)
			}
			break
		}
	}
	return best, nil
}

func common(a, b []byte) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
