package sbom

import (
	"fmt"
	"time"

	"github.com/sallyport-dev/sallyport/internal/oneline"
)

// limits bounds what is looked into. An image is foreign: a few kilobytes can unpack to what fills a disk, a memory or
// a night.
type limits struct {
	unpacked int64         // bytes of all layers
	file     int64         // bytes of one file
	depth    int           // folders in one another
	held     int64         // what files and folders take in memory, in units of some 200 bytes
	time     time.Duration // that the search for packages may take
	archive  archiveLimits
}

// archiveLimits bounds archives, which are opened, and archives in them.
type archiveLimits struct {
	unpacked int64 // bytes of one and all inside it
	text     int64 // bytes of those files in one and all inside it that are read whole
	entries  int   // of one and all inside it
	depth    int   // archives in one another
}

func defaultLimits() limits {
	return limits{unpacked: 16 << 30, file: LargestFile, depth: 128, held: 12 << 20, time: 10 * time.Minute,
		archive: archiveLimits{unpacked: 4 << 30, text: 64 << 20, entries: 1 << 18, depth: 4}}
}

// maxSkipped bounds how much of what was not looked into is named.
const maxSkipped = 100

// skipped is what was not looked into, and why.
type skipped struct {
	list []string
	more int
}

func (s *skipped) add(what, format string, args ...any) {
	s.addLine(oneline.Clean(what, 200) + ": " + oneline.Clean(fmt.Sprintf(format, args...), 200))
}

func (s *skipped) addLine(line string) {
	if len(s.list) >= maxSkipped {
		s.more++
		return
	}
	s.list = append(s.list, line)
}

// lines gives one line for each, the last one perhaps for many.
func (s *skipped) lines() []string {
	if s.more == 0 {
		return s.list
	}
	return append(s.list[:len(s.list):len(s.list)], fmt.Sprintf("and %d more", s.more))
}
