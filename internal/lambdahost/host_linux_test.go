package lambdahost

import (
	"os"
	"os/exec"
	"testing"

	"github.com/symflows/symflows/internal/flow"
)

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	f := pythonFunction(t, "testdata/python/handlers.py", "handlers.allocate")
	f.MemoryMB = 128
	b := open(t, map[string]Function{pythonARN: f})
	if answer, err := b.Invoke(t.Context(), pythonARN, []byte("10")); err != nil || string(answer) != "10485760" {
		t.Errorf("10 MB: got %s, %v", answer, err)
	}
	_, err := b.Invoke(t.Context(), pythonARN, []byte("200"))
	expectError(t, err, flow.CodeHandler, "MemoryError")
}

// A host that is killed takes its functions with it.
func TestHostKilled(t *testing.T) {
	t.Parallel()
	alive := fifo(t)
	host := exec.Command(os.Args[0])
	host.Env = append(os.Environ(), role+"=host", "HOST_DATA="+t.TempDir(), "HOST_ALIVE="+alive)
	host.Stderr = os.Stderr
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	gone := untilGone(alive, func() {
		if err := host.Process.Kill(); err != nil {
			t.Error(err)
		}
	})
	if err := <-gone; err != nil {
		t.Error(err)
	}
	if err := host.Wait(); err == nil {
		t.Error("the host has ended by itself")
	}
}
