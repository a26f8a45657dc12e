package sim

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// story is what happened: a sum over everything, by which two runs are compared, and
// on demand the lines.
type story struct {
	began time.Time
	loud  bool

	mu    sync.Mutex // guards what follows
	sum   uint64
	lines []string
}

// tell adds one thing that happened. What happens at one moment has no order, so the
// sum does not depend on it.
func (s *story) tell(who, what string) {
	at := time.Since(s.began)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum += mix(uint64(at), who, what)
	if s.loud {
		s.lines = append(s.lines, fmt.Sprintf("%12v  %-8s %s", at, who, what))
	}
}

func (s *story) tellf(who, format string, args ...any) {
	s.tell(who, fmt.Sprintf(format, args...))
}

// String returns the lines.
func (s *story) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

// total returns the sum.
func (s *story) total() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sum
}
