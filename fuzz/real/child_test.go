package real

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/engine"
)

// beChild is what a process does that was started as a child: it is told what to be
// and where, a line each.
func beChild(told string) error {
	kind, rest, _ := strings.Cut(told, "\n")
	dir, more, _ := strings.Cut(rest, "\n")
	ctx := context.Background()
	switch kind {
	case "writer":
		return beWriter(ctx, dir, more)
	case "backer":
		return beBacker(ctx, dir, more)
	case "holder":
		return beHolder(ctx, dir)
	}
	return fmt.Errorf("what is a %q", kind)
}

// beHolder opens a store, says how that went, puts a key for each line of its input,
// and closes the store where that ends.
func beHolder(ctx context.Context, dir string) error {
	db, err := engine.Open(ctx, dir, engine.Options{CheckpointAfter: -1, NoPrepare: true})
	if err != nil {
		fmt.Println(codeOf(err))
		return nil
	}
	fmt.Println("held")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		fmt.Println(codeOf(db.Put(ctx, in.Bytes(), []byte("held"))))
	}
	return db.Close()
}

// codeOf names an error in a word; nil is ok.
func codeOf(err error) string {
	if err == nil {
		return "ok"
	}
	if e, ok := errors.AsType[*engine.Error](err); ok {
		return e.Err.Code()
	}
	return err.Error()
}

// child is a process at work.
type child struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start starts this binary as a child of some kind.
func start(t *testing.T, told ...string) *child {
	t.Helper()
	self, err := os.Executable()
	check(t, err)
	c := &child{t: t, cmd: exec.Command(self)}
	c.cmd.Env = append(os.Environ(), asChild+"="+strings.Join(told, "\n"))
	c.cmd.Stderr = os.Stderr
	c.in, err = c.cmd.StdinPipe()
	check(t, err)
	out, err := c.cmd.StdoutPipe()
	check(t, err)
	c.out = bufio.NewReader(out)
	check(t, c.cmd.Start())
	t.Cleanup(c.end)
	return c
}

// says returns the next line of the child; empty where it says no more.
func (c *child) says() string {
	line, err := c.out.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		c.t.Error(err)
	}
	return strings.TrimSuffix(line, "\n")
}

// ask gives the child a line and returns what it says to that.
func (c *child) ask(line string) string {
	c.t.Helper()
	_, err := fmt.Fprintln(c.in, line)
	check(c.t, err)
	return c.says()
}

// kill ends the child with SIGKILL; what it said before can still be read.
func (c *child) kill() {
	c.t.Helper()
	check(c.t, c.cmd.Process.Kill())
}

// killed reads to the end of what a child says that was killed, and fails where it had
// ended by itself.
func (c *child) killed(line func(string)) {
	c.t.Helper()
	for {
		s, err := c.out.ReadString('\n')
		if err != nil { // a line that the kill cut short was not said
			break
		}
		line(strings.TrimSuffix(s, "\n"))
	}
	if err := c.cmd.Wait(); err == nil || c.cmd.ProcessState.Exited() {
		c.t.Fatalf("the child ended by itself: %v", err)
	}
}

// end lets a child come to its end that is still there.
func (c *child) end() {
	if c.cmd.ProcessState != nil {
		return
	}
	_ = c.in.Close()
	if c.t.Failed() { // it may be one that never ends
		c.kill()
	}
	if err := c.cmd.Wait(); err != nil && !c.t.Failed() {
		c.t.Errorf("the child: %v", err)
	}
}
