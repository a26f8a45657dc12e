// Package vlogtest helps to test programs that use vlog, and kinds of vlog itself.
//
// A program's tests take a database in memory from [New], or a [Store], whose
// power can be cut. Both work inside a bubble of testing/synctest.
//
//	func TestShop(t *testing.T) {
//		db := vlogtest.New(t)
//		…
//	}
//
// Whoever builds another kind of database or log runs the contract over it:
// [TestDB] is everything that a DB promises, [TestLog] what a wal.Log promises.
package vlogtest
