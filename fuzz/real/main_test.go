package real

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// long makes the tests of this package go on for minutes.
var long = flag.Bool("long", false, "kill and fill far more often")

// asChild is set for a process that this binary was started again as: what it is to
// be, a line break, and what it is told.
const asChild = "VLOG_REAL_CHILD"

// failedByItself is the exit code of a child that was not to end.
const failedByItself = 3

// TestMain fails where a goroutine is left when all tests have ended.
func TestMain(m *testing.M) {
	if told := os.Getenv(asChild); told != "" {
		if err := beChild(told); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(failedByItself)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
