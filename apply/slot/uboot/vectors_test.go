package uboot

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// memory is a copy that is not on any medium.
type memory struct {
	medium
	data []byte
	how  scheme
}

func (m memory) read() ([]byte, error) { return m.data, nil }
func (m memory) scheme() scheme        { return m.how }

func TestVectors(t *testing.T) {
	files, err := filepath.Glob("testdata/vectors/*.txt")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d vectors: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := strings.Split(string(text), "\n\n")
			header := map[string]string{}
			for line := range strings.Lines(parts[0]) {
				key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
				header[key] = value
			}
			s, places := &store{}, []place{}
			for _, p := range parts[1:] {
				data, err := hex.DecodeString(strings.Join(strings.Fields(p), ""))
				if err != nil {
					t.Fatal(err)
				}
				s.media = append(s.media, memory{data: data, how: map[string]scheme{"counter": counter, "activity": activity}[header["scheme"]]})
				places = append(places, place{size: int64(len(data))})
			}
			err = s.read(places)
			switch want := header["expect"]; {
			case want == "":
				t.Fatal("it expects nothing")
			case want == "error" && err == nil:
				t.Errorf("it is read as %q", s.env)
			case want != "error" && (err != nil || want == "none" && len(s.env) > 0 || want != "none" && !slices.Contains(s.env, want)):
				t.Errorf("it is read as %q, %v, want %s", s.env, err, want)
			}
		})
	}
}
