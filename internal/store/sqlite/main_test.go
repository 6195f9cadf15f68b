package sqlite

import (
	"os"
	"testing"
	"time"
)

// start is when every test begins.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func now() time.Time { return start }

// benchDir is where benchmarks keep their databases.
var benchDir string

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		victim(dir)
		os.Exit(1) // it is there to be killed
	}
	var err error
	if benchDir, err = os.MkdirTemp("", "symflows-bench-"); err != nil {
		panic(err)
	}
	code := m.Run()
	if err := os.RemoveAll(benchDir); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// open opens a database that is closed with the test.
func open(t testing.TB, path string, now func() time.Time, consumers ...string) *Store {
	t.Helper()
	s, err := Open(path, now, consumers...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
