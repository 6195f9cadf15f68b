package lambdahost

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// build compiles the main package in dir, in whatever module that is. Go's own
// cache knows what has changed. The compiler gets our environment, for its
// caches and proxies: it does not run the code that it compiles.
func build(ctx context.Context, dir, binary string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, ".")
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0") // as one builds for Lambda
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build in %s: %w\n%s", dir, err, strings.TrimSpace(string(output)))
	}
	return nil
}
