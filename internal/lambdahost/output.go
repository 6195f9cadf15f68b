package lambdahost

import "bytes"

// maxLine is how much of a line of a function's output is logged, in bytes.
const maxLine = 4 << 10

// lines cuts what is written to it into lines.
type lines struct {
	emit    func(line string, dropped int) // dropped: bytes that were too many
	line    []byte
	dropped int
}

func (l *lines) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		part, after, ended := bytes.Cut(rest, []byte{'\n'})
		keep := part[:min(len(part), maxLine-len(l.line))]
		l.line = append(l.line, keep...)
		l.dropped += len(part) - len(keep)
		if ended {
			l.flush()
		}
		rest = after
	}
	return len(p), nil
}

// flush passes on the last line, if it has no line break.
func (l *lines) flush() {
	if line := bytes.TrimRight(l.line, "\r"); len(line) > 0 {
		l.emit(string(line), l.dropped)
	}
	l.line, l.dropped = l.line[:0], 0
}
