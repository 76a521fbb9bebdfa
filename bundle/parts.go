package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
)

// PartList is FILE.parts.json: what a bundle was split into. Its one byte form is that of Marshal.
type PartList struct {
	APIVersion string        `json:"apiVersion"`
	Kind       string        `json:"kind"` // always "Parts"
	File       string        `json:"file"` // the name of the whole
	Size       int64         `json:"size"`
	Digest     digest.Digest `json:"digest"`
	PartSize   int64         `json:"partSize"` // of every part but the last, which may be shorter
	Parts      []FilePart    `json:"parts"`
}

// FilePart is one part. Its file is the name of the whole with .001, .002 and so on.
type FilePart struct {
	File   string        `json:"file"`
	Size   int64         `json:"size"`
	Digest digest.Digest `json:"digest"`
}

const kindParts = "Parts"

// maxPartListSize bounds FILE.parts.json, which names at most MaxParts parts.
const maxPartListSize = 1 << 20

// partName is the file name of the i-th part, counted from 1.
func partName(whole string, i int) string { return fmt.Sprintf("%s.%03d", whole, i) }

// partListName is where the list of parts stands.
func partListName(whole string) string { return whole + ".parts.json" }

// Marshal validates the list and gives its one byte form, which ends in a line end.
func (l *PartList) Marshal() ([]byte, error) {
	if err := l.validate(); err != nil {
		return nil, err
	}
	b, err := canonical(l)
	if err != nil {
		return nil, formatf("encode the list of parts: %w", err)
	}
	return append(b, '\n'), nil
}

// ParsePartList reads the one byte form that Marshal writes.
func ParsePartList(b []byte) (*PartList, error) {
	if len(b) > maxPartListSize {
		return nil, formatf("the list of parts has more than %d bytes", maxPartListSize)
	}
	if err := checkDensity(b); err != nil {
		return nil, formatf("the list of parts is refused: %w", err)
	}
	l := &PartList{}
	if err := json.Unmarshal(b, l); err != nil {
		return nil, formatf("the list of parts does not parse: %w", err)
	}
	if group, _, _ := strings.Cut(APIVersion, "/"); l.APIVersion != APIVersion && strings.HasPrefix(l.APIVersion, group+"/v") {
		return nil, newer("the list of parts", l.APIVersion, APIVersion)
	}
	again, err := l.Marshal()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(b, again) {
		return nil, formatf("the list of parts is not in its one byte form (first difference at byte %d)", firstDifference(b, again))
	}
	return l, nil
}

func (l *PartList) validate() error {
	switch {
	case l.APIVersion != APIVersion || l.Kind != kindParts:
		return formatf("the list of parts is of kind %q %q, not %s %s", l.APIVersion, l.Kind, APIVersion, kindParts)
	case l.File == "" || l.File != filepath.Base(l.File) || strings.ContainsAny(l.File, "/\\\x00") || text("the file", l.File, 255) != nil:
		return formatf("the list of parts: %q is not a file name", l.File)
	case len(l.Parts) == 0 || len(l.Parts) > MaxParts:
		return formatf("the list of parts names %d parts, not 1 to %d", len(l.Parts), MaxParts)
	case l.PartSize < 1:
		return formatf("the list of parts: a part size of %d bytes", l.PartSize)
	}
	if err := validDigest(l.Digest); err != nil {
		return formatf("the list of parts: %w", err)
	}
	return l.validateParts()
}

func (l *PartList) validateParts() error {
	var sum int64
	for i, p := range l.Parts {
		last := i == len(l.Parts)-1
		switch {
		case p.File != partName(l.File, i+1):
			return formatf("the list of parts: part %d is %q, not %s", i+1, p.File, partName(l.File, i+1))
		case p.Size < 1 || p.Size > l.PartSize || (!last && p.Size != l.PartSize):
			return formatf("the list of parts: %s has %d bytes, where a part has %d", p.File, p.Size, l.PartSize)
		case sum > 1<<62-p.Size:
			return formatf("the list of parts: the sizes are too large")
		}
		if err := validDigest(p.Digest); err != nil {
			return formatf("the list of parts: %s: %w", p.File, err)
		}
		sum += p.Size
	}
	if sum != l.Size {
		return formatf("the list of parts: the parts have %d bytes together, not %d", sum, l.Size)
	}
	return nil
}
