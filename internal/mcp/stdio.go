package mcp

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"sync"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/symflows/symflows/internal/client"
)

// Serve serves the tools for one agent by standard input and output, a message a line, until
// the input ends. It leaves both open.
func Serve(ctx context.Context, api *client.Client, longest time.Duration, in io.Reader, out io.Writer) error {
	w := &writer{to: out}
	err := New(api, longest).Run(ctx, &sdk.IOTransport{Reader: &lines{in: bufio.NewReader(in), out: w}, Writer: w})
	if ctx.Err() != nil || err == io.EOF {
		return nil
	}
	return err
}

// lines reads the lines that are messages, and answers those that are none, so that one of
// them does not end the connection.
type lines struct {
	in   *bufio.Reader
	out  io.Writer
	left []byte
}

func (l *lines) Read(p []byte) (int, error) {
	for len(l.left) == 0 {
		line, err := l.in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			refused, silent := check(line)
			switch {
			case refused != nil:
				if _, err := l.out.Write(append(refused.json(), '\n')); err != nil {
					return 0, err
				}
			case !silent:
				l.left = line
				continue
			}
		}
		if err != nil {
			return 0, err
		}
	}
	n := copy(p, l.left)
	l.left = l.left[n:]
	return n, nil
}

func (*lines) Close() error { return nil }

// writer writes one line after another, whoever answers.
type writer struct {
	mu sync.Mutex
	to io.Writer
}

func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}

func (*writer) Close() error { return nil }
