package core_test

import (
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/config"
)

// TestLogger: what is below the level is not logged.
func TestLogger(t *testing.T) {
	t.Parallel()
	for level, want := range map[string]string{"": "info warn", "debug": "debug info warn", "info": "info warn", "warn": "warn"} {
		for _, format := range []string{"text", "json"} {
			var out strings.Builder
			log := core.Logger(config.Settings{LogFormat: format, LogLevel: level}, &out)
			log.Debug("said debug")
			log.Info("said info")
			log.Warn("said warn")
			var got []string
			for _, said := range []string{"debug", "info", "warn"} {
				if strings.Contains(out.String(), "said "+said) {
					got = append(got, said)
				}
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%q as %s logs %q, not %q", level, format, got, want)
			}
		}
	}
}
