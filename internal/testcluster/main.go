package testcluster

import (
	"fmt"
	"os"
	"testing"
)

// Main runs a package's tests with one cluster for all of them, and returns the exit status: for TestMain, as
//
//	func TestMain(m *testing.M) { os.Exit(testcluster.Main(m, &shared)) }
//
// A cluster takes some seconds to start, which tests that keep apart by namespace need not spend each.
func Main(m *testing.M, shared **Cluster) int {
	s := &suite{}
	defer s.end()
	dir, err := os.MkdirTemp("", "testcluster-*")
	if err == nil {
		s.Cleanup(func() { os.RemoveAll(dir) })
		*shared, err = start(s, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "test cluster:", err)
		return 1
	}
	return m.Run()
}

// suite runs its cleanups when all tests are over.
type suite struct{ cleanups []func() }

// Cleanup adds f, to run before those added earlier.
func (s *suite) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

func (s *suite) end() {
	for i := len(s.cleanups) - 1; i >= 0; i-- {
		s.cleanups[i]()
	}
}
