// Command killloop kills a writing process with SIGKILL again and again, and looks
// after each time: every acknowledged write is there, no transaction is half
// there, numbers have no gap, the store takes writes.
//
//	go run ./examples/killloop -n 200 -writers 64
//	go run ./examples/killloop -codec ndjson
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/vlogdb/vlog/engine"
)

func main() {
	loops := flag.Int("n", 200, "how often to kill")
	writers := flag.Int("writers", 64, "goroutines that write")
	dir := flag.String("dir", "", "where the store is made (default: a temporary directory)")
	codec := flag.String("codec", engine.Binary.String(), "how the log is spelled: binary or ndjson")
	child := flag.Bool("child", false, "be the writer that is killed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	spelled, ok := engine.ParseCodec(*codec)
	if !ok {
		log.Fatalf("no such codec: %q", *codec)
	}
	s := setting{*dir, spelled, *writers}
	if *child {
		writeAndExit(ctx, s)
	}
	if err := run(ctx, s, *loops); err != nil {
		log.Fatal(err)
	}
}

// setting is what the writer is told.
type setting struct {
	dir     string
	codec   engine.Codec // of the store, which it makes
	writers int
}

func run(ctx context.Context, s setting, loops int) error {
	if s.dir == "" {
		tmp, err := os.MkdirTemp("", "killloop-")
		if err != nil {
			return err
		}
		s.dir = filepath.Join(tmp, "store")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	k := &killer{dir: s.dir, codec: s.codec, command: []string{self, "-child", "-dir", s.dir, "-codec", s.codec.String(), "-writers", fmt.Sprint(s.writers)}, pause: anyPause, acked: make([]uint64, s.writers)}
	for i := range loops {
		if err := k.loop(ctx); err != nil {
			return errors.Join(fmt.Errorf("loop %d, store %s", i+1, s.dir), err)
		}
		if (i+1)%10 == 0 {
			fmt.Fprintf(os.Stderr, "killed %d of %d times, %d writes acknowledged\n", i+1, loops, k.total)
		}
	}
	fmt.Printf("killed %d times: %d acknowledged writes, 0 lost, 0 half there; %d torn tails cut; the log ends at #%d; %s\n", loops, k.total, k.cuts, k.last, s.dir)
	return nil
}
