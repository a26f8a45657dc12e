package main

import (
	"context"
	"fmt"
	"time"

	"github.com/vlogdb/vlog/engine"
)

// watchEvery is how often --watch looks where it is not told.
const watchEvery = 2 * time.Second

// glance is what one look at a store shows.
type glance struct {
	at       time.Time
	stats    engine.Stats
	info     engine.Info
	since    *glance // the look before
	terminal bool
}

// watchStats looks at a store again and again: in place on a terminal, else a line
// whenever something changed. It ends with the context, which is no failure.
func (a *app) watchStats(ctx context.Context, db *engine.DB, every time.Duration) error {
	ctx, stop := whileHeard(ctx, a.out)
	defer stop()
	tick := time.NewTicker(every)
	defer tick.Stop()
	var last *glance
	for {
		g, err := a.glanceAt(ctx, db)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		g.since = last
		if last == nil || g.terminal && !a.json || g.stats.Seq != last.stats.Seq || g.info.LogBytes != last.info.LogBytes {
			if err := a.glance(g); err != nil {
				return err
			}
		}
		last, g.since = g, nil
		select {
		case <-tick.C:
		case <-ctx.Done():
			if g.terminal && !a.json {
				fmt.Fprintln(a.out)
			}
			return context.Cause(ctx)
		}
	}
}

func (a *app) glanceAt(ctx context.Context, db *engine.DB) (*glance, error) {
	if err := db.Refresh(ctx); err != nil {
		return nil, err
	}
	info, err := db.Info(ctx)
	return &glance{at: time.Now(), stats: db.Stats(), info: info, terminal: a.outTerm}, err
}

// rate is how many batches came in a second since the look before.
func (g *glance) rate() float64 {
	if g.since == nil || g.stats.Seq < g.since.stats.Seq {
		return 0
	}
	return float64(g.stats.Seq-g.since.stats.Seq) / g.at.Sub(g.since.at).Seconds()
}

func (a *app) glance(g *glance) error {
	s, i := g.stats, g.info
	if a.json {
		return a.line(map[string]any{"time": g.at.UTC(), "seq": s.Seq, "batches_per_second": g.rate(), "keys": s.Keys, "live_bytes": s.LiveBytes, "heap_bytes": s.HeapBytes,
			"segments": i.Segments, "log_bytes": i.LogBytes, "checkpoints": len(i.Checkpoints), "beyond": i.Beyond, "writer": i.Writer})
	}
	writer := "no writer"
	if w := i.Writer; w != nil {
		writer = fmt.Sprintf("writer pid %d", w.PID)
	}
	text := fmt.Sprintf("#%d   %.1f batches/s   %s keys   log %s in %s   memory %s   %s", s.Seq, g.rate(), number(uint64(s.Keys)), size(i.LogBytes), plural(i.Segments, "segment"), size(int64(s.HeapBytes)), writer)
	if !g.terminal {
		return a.print("%s  %s", a.time(g.at.Round(time.Millisecond)), text)
	}
	_, err := fmt.Fprintf(a.out, "\r\x1b[K%s", text)
	return err
}
