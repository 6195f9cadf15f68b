package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/audit"
	"github.com/symflows/symflows/internal/slacksim"
)

// auditPanel feeds the simulation's page with audit records. It holds the
// newest ones only; the page counts all.
type auditPanel struct {
	files *audit.Files

	mu      sync.Mutex
	place   string
	dropped int
	newest  []json.RawMessage
}

var _ slacksim.Records = (*auditPanel)(nil)

// panelLength is how many records the page can go back to.
const panelLength = 500

// Tail gives the records after the first ones.
func (p *auditPanel) Tail(ctx context.Context, after int) ([]json.RawMessage, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		records, place, err := p.files.Tail(ctx, p.place)
		if err != nil {
			return nil, err
		}
		if len(records) == 0 {
			break
		}
		for _, r := range records {
			b, err := json.Marshal(r)
			if err != nil {
				return nil, err
			}
			p.newest = append(p.newest, b)
		}
		p.place = place
		over := max(len(p.newest)-panelLength, 0)
		p.newest = slices.Delete(p.newest, 0, over)
		p.dropped += over
	}
	skip := min(max(after-p.dropped, 0), len(p.newest))
	return slices.Clone(p.newest[skip:]), nil
}

// access tells who has access right now, by the file that the sample function
// grant-database grants in: an outside system that we only look at.
func (l *Local) access(context.Context) ([]string, error) {
	file, err := os.Open(filepath.Join(l.options.Data, "access.jsonl"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var lines []string
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		var row struct {
			Username string    `json:"username"`
			Target   string    `json:"target"`
			Until    time.Time `json:"until"`
		}
		if err := json.Unmarshal(scanner.Bytes(), &row); err != nil {
			return nil, fmt.Errorf("read %s: %w", file.Name(), err)
		}
		line := row.Username + " has " + row.Target
		if !row.Until.IsZero() {
			line += " until " + row.Until.Format("15:04:05")
		}
		lines = append(lines, line)
	}
	return lines, scanner.Err()
}
