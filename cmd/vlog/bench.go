package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/gauge"
)

func (a *app) benchCommand() *cobra.Command {
	d := time.Second
	cmd := &cobra.Command{Use: "bench [DIR] [flags]", Short: "Measure this disk, and say what to expect there",
		Long: `Measure the disk that DIR lies on (without DIR, this directory): how often it makes a
write durable, how fast it streams, and what a store makes of that with 1, 16 and 64
writers of values of 100 bytes. All is done in a new directory beside the files of DIR,
or beside DIR where it is a store, and removed at the end. The disk is busy meanwhile.`,
		Example: `  vlog bench
  vlog bench ./data --for 3s
  vlog bench ./data --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("name at most one directory")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if d <= 0 {
				return usagef("--for is a time above zero, not %v", d)
			}
			at, err := benchPlace(args)
			if err != nil {
				return err
			}
			a.store = at
			return a.bench(cmd.Context(), at, d)
		}}
	cmd.Flags().DurationVar(&d, "for", d, "how long each of the six measurements takes")
	return cmd
}

// benchPlace returns the directory to measure in: not in a store, where nothing must stand
// that is not its own.
func benchPlace(args []string) (string, error) {
	if len(args) == 0 {
		return ".", nil
	}
	if args[0] == "" {
		return "", usagef("the name of the directory is empty")
	}
	_, err := os.Lstat(filepath.Join(args[0], "FORMAT"))
	if errors.Is(err, os.ErrNotExist) {
		return args[0], nil
	}
	return filepath.Dir(filepath.Clean(args[0])), err
}

// benched is what was measured.
type benched struct {
	Dir         string     `json:"dir"`
	Flush       benchRate  `json:"flush"`
	Append      benchRate  `json:"append"`
	WriteStream float64    `json:"write_bytes_per_second"`
	ReadStream  float64    `json:"read_bytes_per_second"`
	Puts        []benchPut `json:"puts"`
	Gets        benchRate  `json:"gets"`
}

// benchRate is a rate in JSON.
type benchRate struct {
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_us"`
	P99       float64 `json:"p99_us"`
}

// benchPut is what so many writers do at once.
type benchPut struct {
	Writers int `json:"writers"`
	benchRate
	Syncs float64 `json:"syncs_per_put"`
}

func rateOf(r gauge.Rate) benchRate {
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	return benchRate{r.PerSecond, us(r.P50), us(r.P99)}
}

// bench measures in a directory of its own.
func (a *app) bench(ctx context.Context, at string, d time.Duration) (err error) {
	dir, err := os.MkdirTemp(at, "vlog-bench-")
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, os.RemoveAll(dir)) }()
	b := &benched{Dir: at}
	if err := a.benchDisk(ctx, b, dir, d); err != nil {
		return err
	}
	if err := a.benchStore(ctx, b, filepath.Join(dir, "store"), d); err != nil {
		return err
	}
	if a.json {
		return a.line(b)
	}
	return a.print("\n%s", b.expect())
}

// row tells people one result as soon as it is there.
func (a *app) row(what string, r benchRate, more string) error {
	if a.json {
		return nil
	}
	if r.PerSecond == 0 {
		return a.print("%-28s%s", what, more)
	}
	us := func(v float64) string { return took(time.Duration(v * 1e3)) }
	return a.print("%-28s%10.0f per s   p50 %-8s p99 %-8s%s", what, r.PerSecond, us(r.P50), us(r.P99), more)
}

func (a *app) benchDisk(ctx context.Context, b *benched, dir string, d time.Duration) (err error) {
	g, err := gauge.New(dir, d)
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, g.Close()) }()
	flush, err := g.Flush(ctx)
	if err != nil {
		return err
	}
	b.Flush = rateOf(flush)
	if err := a.row("a sector, flushed", b.Flush, ""); err != nil {
		return err
	}
	grow, err := g.Append(ctx)
	if err != nil {
		return err
	}
	b.Append = rateOf(grow)
	if err := a.row("appended to a file, flushed", b.Append, ""); err != nil {
		return err
	}
	if b.WriteStream, b.ReadStream, err = g.Stream(ctx); err != nil {
		return err
	}
	return a.row("64 MiB in one stream", benchRate{}, fmt.Sprintf("%10s/s written, %s/s read back", size(int64(b.WriteStream)), size(int64(b.ReadStream))))
}

func (a *app) benchStore(ctx context.Context, b *benched, dir string, d time.Duration) (err error) {
	db, err := engine.Open(ctx, dir, engine.Options{MustNotExist: true})
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, db.Close()) }()
	w := &benchWork{db: db, d: d}
	for _, writers := range []int{1, 16, 64} {
		p, err := w.puts(ctx, writers)
		if err != nil {
			return err
		}
		b.Puts = append(b.Puts, p)
		if err := a.row("put, "+plural(writers, "writer"), p.benchRate, fmt.Sprintf("  %.3f syncs a put", p.Syncs)); err != nil {
			return err
		}
	}
	gets, err := w.gets(ctx)
	if err != nil {
		return err
	}
	b.Gets = rateOf(gets)
	each := time.Duration(1e9 / max(b.Gets.PerSecond, 1))
	return a.row("get, "+plural(int64(w.keys), "key"), benchRate{}, fmt.Sprintf("%10.0f per s   %v each, from memory", b.Gets.PerSecond, each))
}

// benchWork puts keys and gets them.
type benchWork struct {
	db   *engine.DB
	d    time.Duration
	keys uint64
}

// key returns the nth key: they spread over the whole space.
func (w *benchWork) key(n uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(make([]byte, 0, 16), n*0x9e3779b97f4a7c15), n)
}

const benchValue = 100 // bytes

func (w *benchWork) puts(ctx context.Context, writers int) (benchPut, error) {
	before, from := w.db.Stats().Syncs, w.keys
	took, errs := make([][]time.Duration, writers), make([]error, writers)
	var wg sync.WaitGroup
	began := time.Now()
	for i := range writers {
		wg.Go(func() {
			value := make([]byte, benchValue)
			for n, last := from+uint64(i), began; last.Sub(began) < w.d; n += uint64(writers) {
				if errs[i] = w.db.Put(ctx, w.key(n), value); errs[i] != nil {
					return
				}
				now := time.Now()
				took[i], last = append(took[i], now.Sub(last)), now
			}
		})
	}
	wg.Wait()
	d, most := time.Since(began), 0
	var all []time.Duration
	for _, t := range took {
		all, most = append(all, t...), max(most, len(t))
	}
	w.keys = from + uint64(most*writers) // some of the last ones are missing
	p := benchPut{Writers: writers, benchRate: rateOf(gauge.RateOf(all, d))}
	p.Syncs = float64(w.db.Stats().Syncs-before) / float64(max(len(all), 1))
	return p, firstError(errs...)
}

// getsEach is how many gets are timed at once: one takes less than looking at the clock.
const getsEach = 100

func (w *benchWork) gets(ctx context.Context) (gauge.Rate, error) {
	var took []time.Duration
	began := time.Now()
	for last, n := began, uint64(0); last.Sub(began) < w.d; {
		for range getsEach {
			n = (n*6364136223846793005 + 1442695040888963407) // some key, as if at random
			if _, err := w.db.Get(ctx, w.key(n>>33%w.keys)); err != nil && !errors.Is(err, engine.ErrNotFound) {
				return gauge.Rate{}, err
			}
		}
		now := time.Now()
		took, last = append(took, now.Sub(last)/getsEach), now
	}
	r := gauge.RateOf(took, time.Since(began))
	r.PerSecond *= getsEach
	return r, nil
}

// What a flush says about a disk, in microseconds.
const (
	flushNone = 10
	flushSlow = 2000
)

// expect says in words what the figures mean for who writes there.
func (b *benched) expect() string {
	one, many := b.Puts[0], b.Puts[len(b.Puts)-1]
	text := fmt.Sprintf("A writer who waits for each answer gets about %.0f durable puts a second here; %d at once share flushes and get %.0f together.",
		one.PerSecond, many.Writers, many.PerSecond)
	switch {
	case b.Flush.P50 < flushNone:
		text += "\nA flush takes next to no time: this is memory, or a disk that does not flush. What is answered may be gone with the power."
	case b.Flush.P50 > flushSlow:
		text += "\nA flush is slow here: put many keys into one transaction, write from many goroutines, or use Submit and wait later."
	default:
		text += "\nPut what belongs together into one transaction: a thousand keys cost one flush too."
	}
	return text
}
