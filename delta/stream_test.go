package delta

import (
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// TestStreamRemembersFailure: a long stream whose file cannot be made fails at its end, too.
func TestStreamRemembersFailure(t *testing.T) {
	s := &streamBuilder{id: streamText, dir: filepath.Join(t.TempDir(), "missing"), level: zstd.SpeedFastest, quick: true}
	if _, err := s.Write(make([]byte, shortStream+1)); err == nil {
		t.Fatal("a stream was kept in a folder that is not there")
	}
	if _, _, err := s.finish(); err == nil {
		t.Error("the failure was forgotten")
	}
	s.close()
}
