// Command bugs tests the tests: it builds vlog with one deliberate mistake after the
// other and demands that the test which is named for it fails.
//
//	go run ./fuzz/bugs
//	go run ./fuzz/bugs -run 'sync|flag'
//	go run ./fuzz/bugs -list
//	go run ./fuzz/bugs -run lock -with ./recovery:TestHold
//
// The checkout stays as it is: the compiler is given a changed copy of one file. It ends
// with 1 where a mistake is not caught, does not build or stands nowhere any more.
//
// No embedder needs this command.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"strings"
	"sync"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var o options
	flag.StringVar(&o.run, "run", "", "only mistakes whose names match")
	flag.StringVar(&o.with, "with", "", "let another test look, PACKAGE:PATTERN")
	flag.BoolVar(&o.list, "list", false, "print the table of docs/CRASH.md and run nothing")
	flag.Parse()
	if err := o.do(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bugs:", err)
		os.Exit(1)
	}
}

type options struct {
	run, with string
	list      bool
}

func (o options) do(ctx context.Context, out io.Writer) error {
	match, err := regexp.Compile(o.run)
	if err != nil {
		return err
	}
	var all []mistake
	for _, m := range mistakes() {
		if match.MatchString(m.name) {
			all = append(all, o.looked(m))
		}
	}
	if o.list {
		_, err := io.WriteString(out, table(all))
		return err
	}
	if err := sound(ctx, all); err != nil {
		return err
	}
	return hunt(ctx, all, out)
}

// looked is a mistake with the test that is to catch it.
func (o options) looked(m mistake) mistake {
	if pkg, test, ok := strings.Cut(o.with, ":"); ok {
		m.pkg, m.test = pkg, test
	}
	return m
}

// hunt makes each mistake in turn, as many at once as there are processors.
func hunt(ctx context.Context, all []mistake, out io.Writer) error {
	var mu sync.Mutex // guards out, bad and skips
	bad, skips := 0, 0
	var wg sync.WaitGroup
	due := make(chan mistake)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for m := range due {
				res := m.make(ctx)
				mu.Lock()
				if res.err != nil {
					bad++
				} else if res.skipped {
					skips++
				}
				fmt.Fprintf(out, "%-34s %s\n", m.name, res)
				mu.Unlock()
			}
		})
	}
	for _, m := range all {
		select {
		case due <- m:
		case <-ctx.Done():
		}
	}
	close(due)
	wg.Wait()
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	fmt.Fprintf(out, "%d of %d mistakes caught\n", len(all)-bad-skips, len(all))
	if skips > 0 {
		fmt.Fprintf(out, "%d not tried: their tests are skipped on this system\n", skips)
	}
	if bad > 0 {
		return fmt.Errorf("%d mistakes were not caught", bad)
	}
	return nil
}
