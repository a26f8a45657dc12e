package engine

import (
	"math"
	"time"
)

// told returns the clock that the engine goes by: the system's where none is given, and
// never beyond what nanoseconds since 1970 can tell, which is 1678 to 2262. A
// clock that stands elsewhere would come out anywhere, and could not be written down.
func told(clock func() time.Time) func() time.Time {
	if clock == nil {
		clock = time.Now
	}
	first, last := time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)
	return func() time.Time {
		t := clock()
		switch {
		case t.Before(first):
			return first
		case t.After(last):
			return last
		}
		return t
	}
}
