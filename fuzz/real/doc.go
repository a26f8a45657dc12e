// Package real holds the tests that need the machine itself: processes that are
// killed, limits of the system, disks that fill, permissions, mounts, files that
// somebody moves, links and pipes in the place of files. It exports nothing.
//
// A test that needs another user, mounts of its own or limits runs itself again in a
// process that has them, so nothing of it is left behind on the machine. Where the
// machine does not allow that, the test is skipped and says why.
package real
