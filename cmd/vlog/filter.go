package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/itchyny/gojq"
)

// filter chooses events and says how each is shown. The zero filter shows all.
type filter struct {
	prefix string
	tenant string // empty: any
	where  *gojq.Code
	jq     *gojq.Code
}

// program compiles what a flag gives in the language of jq; nil for none.
func program(flag, text string) (*gojq.Code, error) {
	if text == "" {
		return nil, nil
	}
	q, err := gojq.Parse(text)
	if err == nil {
		code, e := gojq.Compile(q)
		if e == nil {
			return code, nil
		}
		err = e
	}
	return nil, usagef("--%s: %v", flag, err)
}

// takes says whether an event is wanted.
func (f *filter) takes(ctx context.Context, e *event) (bool, error) {
	if f.tenant != "" && e.Tenant != f.tenant || !e.under(f.prefix) {
		return false, nil
	}
	if f.where == nil {
		return true, nil
	}
	v, err := generic(e)
	if err != nil {
		return false, err
	}
	for v, err := range results(ctx, f.where, v) {
		return err == nil && v != nil && v != false, e.unfit("--where", err)
	}
	return false, nil
}

// unfit says which event an error of a program is about.
func (e *event) unfit(flag string, err error) error {
	if err == nil {
		return nil
	}
	in := ""
	if e.Store != "" {
		in = quoted(e.Store) + ": "
	}
	return fmt.Errorf("%s%s, change %d of #%d: %w", in, flag, e.Change, e.Seq, err)
}

// generic is an event as jq sees it. Numbers stay as they are spelled.
func generic(e *event) (v any, err error) {
	line, err := jsonLine(e)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	return v, d.Decode(&v)
}

// results yields what a program makes of a value. An error, which ends it, is one of
// the data: a program that does not fit some events says so with `?` or `//`.
func results(ctx context.Context, code *gojq.Code, v any) func(yield func(any, error) bool) {
	return func(yield func(any, error) bool) {
		iter := code.RunWithContext(ctx, v)
		for {
			out, ok := iter.Next()
			if !ok {
				return
			}
			err, failed := out.(error)
			if halt, ok := errors.AsType[*gojq.HaltError](err); failed && ok && halt.Value() == nil {
				return
			}
			if failed {
				yield(nil, err)
				return
			}
			if !yield(out, nil) {
				return
			}
		}
	}
}

// show prints an event by the program of --jq: texts as they are, everything else as
// a line of JSON.
func (a *app) showJQ(ctx context.Context, f *filter, e *event) error {
	v, err := generic(e)
	if err != nil {
		return err
	}
	for out, err := range results(ctx, f.jq, v) {
		if err != nil {
			return e.unfit("--jq", err)
		}
		if text, ok := out.(string); ok {
			err = a.print("%s", text)
		} else {
			err = a.printJQ(out)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printJQ(v any) error {
	line, err := gojq.Marshal(v)
	if err != nil {
		return err
	}
	return a.print("%s", line)
}
