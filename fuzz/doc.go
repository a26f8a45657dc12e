// Package fuzz holds the tests that look for what nobody thought of: every crash
// point of a workload and of each recovery from it, injected failures, damage to
// every byte, random programs beside a plain model. It exports nothing.
package fuzz
