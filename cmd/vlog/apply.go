package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
)

// maxLine bounds one line of changes, in bytes.
const maxLine = 64 << 20

// changeLine is one line of changes.ndjson. A value that is a JSON string is
// stored as its text, any other JSON value as it is written, compact.
type changeLine struct {
	Op       string          `json:"op"`
	Key      *string         `json:"key"`
	KeyB64   *string         `json:"key_b64"`
	Value    json.RawMessage `json:"value"`
	ValueB64 *string         `json:"value_b64"`
}

// step is one change, read and checked.
type step struct {
	key, value []byte
	del        bool
}

func (a *app) applyCommand() *cobra.Command {
	var per int
	cmd := &cobra.Command{Use: "apply DIR < changes.ndjson", Short: "Apply changes from stdin",
		Long: `Apply changes, one JSON object per line:

  {"op":"put","key":"users/42","value":{"name":"Alice"}}
  {"op":"del","key":"users/41"}

A value that is a string is stored as its text, any other value as compact JSON;
key_b64 and value_b64 take other bytes. All lines are one transaction, or with
--batch N every N lines are. One line is printed for each transaction once it is on disk.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.take(args, 0, 0)
			if err != nil {
				return err
			}
			if per < 0 {
				return usagef("--batch is not below 0")
			}
			return a.with(cmd.Context(), w.dir, engine.Options{MustExist: true}, func(db *engine.DB) error { return a.apply(cmd.Context(), db, per) })
		}}
	cmd.Flags().IntVar(&per, "batch", 0, "lines per transaction (0: all)")
	return cmd
}

func (a *app) apply(ctx context.Context, db *engine.DB, per int) error {
	s, err := a.scope(db)
	if err != nil {
		return err
	}
	in := &changeReader{in: bufio.NewReaderSize(a.stdin(ctx), 64<<10)}
	p := a.newProgress("apply", "changes")
	defer p.end()
	for {
		steps, err := in.next(ctx, per)
		if err != nil {
			return err
		}
		if len(steps) == 0 {
			return nil
		}
		if err := a.applySteps(ctx, s, steps); err != nil {
			return err
		}
		p.at(int64(in.line), 0)
	}
}

func (a *app) applySteps(ctx context.Context, s engine.Scope, steps []step) error {
	seq, err := submit(ctx, s, func(tx *engine.Tx) error { return applyTo(tx, steps) })
	if errors.Is(err, engine.ErrTooLarge) && len(steps) > 1 {
		return &engine.Error{Op: "apply", Err: engine.ErrTooLarge, Detail: plural(len(steps), "change") + " in one transaction", Hint: "give --batch N, or a smaller one", Cause: err}
	}
	if err != nil {
		return err
	}
	if err := a.applied(applied{seq, len(steps)}); !closedPipe(err) {
		return err
	}
	a.out = io.Discard // nobody listens any more; what was asked for is done all the same
	return nil
}

// applied is a transaction that is on disk, in JSON.
type applied struct {
	Seq     uint64 `json:"seq"`
	Changes int    `json:"changes"`
}

func (a *app) applied(t applied) error {
	if a.json {
		return a.line(t)
	}
	return a.print("#%d %s", t.Seq, plural(t.Changes, "change"))
}

func applyTo(tx *engine.Tx, steps []step) error {
	for _, c := range steps {
		var err error
		if c.del {
			err = tx.Delete(c.key)
		} else {
			err = tx.Put(c.key, c.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// badLine is a line of changes that says nothing that can be done.
type badLine struct {
	line int
	why  error
}

func (b *badLine) Error() string {
	return fmt.Sprintf("line %d: %v; nothing of its transaction was written", b.line, b.why)
}

// changeReader reads changes line by line.
type changeReader struct {
	in   *bufio.Reader
	line int
	end  bool
}

// next returns the changes of the next transaction: up to n, or all for n = 0.
// None is the end.
func (r *changeReader) next(ctx context.Context, n int) ([]step, error) {
	var steps []step
	for !r.end && (n == 0 || len(steps) < n) {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		text, err := r.readLine()
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		s, err := parseChange(text)
		if err != nil {
			return nil, &badLine{r.line, err}
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// readLine returns the next line; a last one needs no newline.
func (r *changeReader) readLine() ([]byte, error) {
	r.line++
	var text []byte
	for {
		part, err := r.in.ReadSlice('\n')
		text = append(text, part...)
		switch {
		case len(text) > maxLine:
			return nil, &badLine{r.line, errors.New("longer than " + size(maxLine))}
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			r.end = true
			return text, nil
		}
		return text, err
	}
}

func parseChange(text []byte) (s step, err error) {
	if !utf8.Valid(text) {
		return s, errors.New("not UTF-8; give other bytes as key_b64 and value_b64")
	}
	var c changeLine
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return s, fmt.Errorf("not a change: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return s, errors.New("more than one JSON value")
	}
	if s.key, err = oneForm("key", c.Key, c.KeyB64); err != nil {
		return s, err
	}
	if halved(text, s.key) {
		return s, errors.New("half of a surrogate pair in key; give other bytes as key_b64")
	}
	switch c.Op {
	case "del":
		s.del = true
		if c.Value != nil || c.ValueB64 != nil {
			err = errors.New("a del has no value")
		}
		return s, err
	case "put":
		if s.value, err = c.value(); err == nil && halved(text, s.value) {
			err = errors.New("half of a surrogate pair in value; give other bytes as value_b64")
		}
		return s, err
	}
	return s, fmt.Errorf("op is put or del, not %q", c.Op)
}

// halved says whether decoding JSON put the replacement character where the text
// has none: for an escape such as \ud800, which stands for no character. What was
// stored would be other bytes than were given.
func halved(text, decoded []byte) bool {
	const replacement = "\ufffd"
	return bytes.Contains(decoded, []byte(replacement)) && !bytes.Contains(text, []byte(replacement)) && !bytes.Contains(bytes.ToLower(text), []byte(`\ufffd`))
}

// oneForm returns bytes given as text or in base64, exactly one of the two.
func oneForm(name string, text, b64 *string) ([]byte, error) {
	switch {
	case (text == nil) == (b64 == nil):
		return nil, fmt.Errorf("give %s or %s_b64", name, name)
	case text != nil:
		return []byte(*text), nil
	}
	b, err := base64.StdEncoding.DecodeString(*b64)
	if err != nil {
		return nil, fmt.Errorf("%s_b64: %w", name, err)
	}
	return b, nil
}

func (c *changeLine) value() ([]byte, error) {
	if c.Value == nil || c.ValueB64 != nil {
		var none *string
		if c.Value != nil {
			none = new("")
		}
		return oneForm("value", none, c.ValueB64)
	}
	var text string
	if json.Unmarshal(c.Value, &text) == nil && c.Value[0] == '"' {
		return []byte(text), nil
	}
	var b bytes.Buffer
	err := json.Compact(&b, c.Value)
	return b.Bytes(), err
}
