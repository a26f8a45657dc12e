// Package sim runs whole lives of a store in a simulated world: one number decides
// everything, from the options and the clients' transactions to the delay of each disk
// operation, which of them fail, when the machine stops and what that leaves on the
// disk. Run gives the same run for the same seed, so a failure can be looked at as
// often as it takes (on a crowded machine now and then another one, where the scheduler
// of Go moves a goroutine that had its processor for 10 ms). Time is that of a bubble of testing/synctest, so a run of seconds
// takes milliseconds.
//
// Beside the store a ledger keeps what was asked for, answered and seen. After each
// stop the store is opened again and compared: it must hold some batch's state, none
// that was promised may be missing, none be there in part or twice.
//
// No embedder needs this package.
package sim
