package store

import (
	"sync"

	"github.com/symflows/symflows/internal/flow"
)

// decodedBytes bounds the bodies of the runs that are kept decoded: many times those
// that are worked on at once.
const decodedBytes = 16 << 20

// Decoded keeps runs decoded, so that a process which reads each revision of a run
// several times decodes it once. It never has to be told of a change: a run is kept by
// its key, revision and writer, and another write has another id of its writer. The
// zero value is ready, and safe for concurrent use.
type Decoded struct {
	mu    sync.Mutex
	runs  map[string]*revision
	bytes int
}

// revision is one of a run.
type revision struct {
	rev    int64
	writer string
	size   int
	decode func() (flow.Run, error) // does so once
}

// run decodes an item, or gives what was decoded of it before: nobody may change what
// it refers to.
func (d *Decoded) run(item Item) (flow.Run, error) { return d.of(item).decode() }

func (d *Decoded) of(item Item) *revision {
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.runs[item.Key]
	if known != nil && known.rev == item.Rev && known.writer == item.Writer {
		return known
	}
	one := &revision{item.Rev, item.Writer, len(item.Body), sync.OnceValues(func() (flow.Run, error) { return decodeRun(item) })}
	if known != nil && known.rev > item.Rev {
		return one // somebody has read an older state
	}
	if d.runs == nil {
		d.runs = map[string]*revision{}
	}
	d.drop(item.Key)
	d.runs[item.Key] = one
	d.bytes += one.size
	for key := range d.runs { // any: which one is found is by chance
		if d.bytes <= decodedBytes {
			break
		}
		d.drop(key)
	}
	return one
}

func (d *Decoded) drop(key string) {
	if one := d.runs[key]; one != nil {
		d.bytes -= one.size
		delete(d.runs, key)
	}
}
