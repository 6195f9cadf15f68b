package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/symflows/symflows/internal/store/sqlite"
)

// openState opens the database of a deployment on this machine, for commands beside
// it. The error says what to do where nothing has run in that folder yet.
func openState(data string) (*sqlite.Store, error) {
	if _, err := os.Stat(data); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no folder %s: start local first, which keeps its state there, or give the folder that it has by -data", data)
	}
	return sqlite.Beside(databaseFile(data), time.Now)
}
