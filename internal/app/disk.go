package app

import (
	"context"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// What people are told when the disk is full, and what those who run this can do.
const (
	fullNow    = "The disk that holds the data of Sym Flows is full. "
	fullAdvice = "Make room of 80 MiB at least, or enlarge the disk. Within a minute of that, requests are taken again; no start is needed. Until then no new requests are taken, and access that was granted ends as planned while what was kept in reserve lasts."
)

// diskLooksAgain is how often it is looked whether a full disk has room again.
const diskLooksAgain = time.Minute

// watchDisk tells administrators when the reserve of the disk is given up, or could
// not be made, and makes it again when there is room. Each time that the disk is
// full is told, once.
func (l *Local) watchDisk(notices store.Notices) {
	const lane, about = "disk", "the disk"
	var looking sync.Mutex // guards told
	told := false
	var look func(context.Context)
	look = func(ctx context.Context) {
		looking.Lock()
		defer looking.Unlock()
		err := l.reserve.Renew()
		if err == nil {
			if told {
				l.options.Log.InfoContext(ctx, "the disk has room again, and requests are taken")
			}
			told = false
			if err := notices.Over(ctx, about, ""); err != nil {
				l.options.Log.WarnContext(ctx, "the error channel is not told of another full disk today", "error", err)
			}
			return
		}
		l.options.Log.ErrorContext(ctx, fullNow+fullAdvice, "error", err)
		if !told {
			// A notice is written, which the reserve that was given up has room for.
			if err := notices.Tell(ctx, about, fullNow+fullAdvice, ""); err != nil {
				l.options.Log.WarnContext(ctx, "the error channel is not told of the full disk yet", "error", err)
			} else {
				told = true
			}
		}
		l.Engine.After(lane, diskLooksAgain, func(context.Context) { l.Engine.Go(lane, look) })
	}
	l.reserve.GivenUp = func() { l.Engine.Go(lane, look) }
	l.Engine.Go(lane, look)
}

// diskFull returns why no new requests are taken if the disk is full: they would
// use up what access needs to end.
func (l *Local) diskFull() error {
	if l.reserve.Kept() {
		return nil
	}
	return flow.Errorf(flow.CodeDiskFull, "No new requests are taken just now: the disk of Sym Flows is full, and those who run it have to make room first. Access that was granted ends as planned")
}
