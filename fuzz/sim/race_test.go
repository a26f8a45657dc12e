//go:build race

package sim

// raced says that the race detector looks on: then the scheduler of Go draws who is next.
const raced = true
