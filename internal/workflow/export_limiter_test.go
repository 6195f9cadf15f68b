package workflow

// Wanted gives how many wishes of this process wait to be written.
func (l *Limiter) Wanted(key string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lines[key].wishes)
}
