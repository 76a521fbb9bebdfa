package helm

import (
	"bytes"
	"errors"
	"log"
	"strings"
	"sync"
)

// listening guards the standard logger, which is where Helm's packages say what they find odd.
var listening sync.Mutex

// listen runs f and gives what was logged meanwhile, a line each.
func listen(f func()) []string {
	listening.Lock()
	defer listening.Unlock()
	var said bytes.Buffer
	out, flags := log.Writer(), log.Flags()
	log.SetOutput(&said)
	log.SetFlags(0)
	defer func() {
		log.SetOutput(out)
		log.SetFlags(flags)
	}()
	f()
	var lines []string
	for line := range strings.Lines(said.String()) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// oneLine joins the lines of an error's message.
func oneLine(err error) error {
	return errors.New(strings.Join(strings.Fields(err.Error()), " "))
}
