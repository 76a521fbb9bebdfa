package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
)

// Served is the manifest by which every registry can answer for an image.
type Served struct {
	Digest    digest.Digest
	MediaType string
	// Cut is its bytes if the release does not carry it as it is: an index cut down by CutIndex.
	Cut []byte
}

// Served tells by which manifest every registry can answer for the image. Some refuse an index of which they lack a part,
// so it is the index if the release carries all that it lists, the image manifest if it carries nothing else of it, and
// otherwise the index cut down to what is carried. Raw gives the bytes of the image's indexes.
func (im *Image) Served(raw func(digest.Digest) ([]byte, error)) (Served, error) {
	if !IsIndex(im.MediaType) {
		return Served{Digest: im.Digest, MediaType: im.MediaType}, nil
	}
	index, err := raw(im.Digest)
	if err != nil {
		return Served{}, err
	}
	inner := make(map[digest.Digest][]byte)
	for _, x := range im.Indexes {
		if inner[x.Digest], err = raw(x.Digest); err != nil {
			return Served{}, err
		}
	}
	kept, whole, err := cutEntries(index, im.Carried(), inner)
	if err != nil {
		return Served{}, fmt.Errorf("index %s: %w", im.Digest, err)
	}
	if whole {
		return Served{Digest: im.Digest, MediaType: im.MediaType}, nil
	}
	if len(im.Manifests) == 1 && len(kept) <= 1 {
		m := im.Manifests[0]
		return Served{Digest: m.Digest, MediaType: m.MediaType}, nil
	}
	cut, err := CutIndex(index, im.Carried(), inner)
	if err != nil {
		return Served{}, fmt.Errorf("index %s: %w", im.Digest, err)
	}
	return Served{Digest: digest.FromBytes(cut), MediaType: im.MediaType, Cut: cut}, nil
}

// Carried lists the manifests that a release brings for an image.
func (im *Image) Carried() []digest.Digest {
	var list []digest.Digest
	for _, m := range im.Manifests {
		list = append(list, m.Digest)
	}
	for _, a := range im.Attached {
		list = append(list, a.Digest)
	}
	return list
}

// CutIndex keeps the named entries of an index. The bytes of each entry and the order of everything are kept; so the same
// input gives the same digest at the factory and at every site. An index inside that is not whole either, of which inner
// has the bytes, gives way to what is left of its own entries.
func CutIndex(index []byte, keep []digest.Digest, inner map[digest.Digest][]byte) ([]byte, error) {
	kept, _, err := cutEntries(index, keep, inner)
	if err != nil {
		return nil, err
	}
	if len(kept) == 0 {
		return nil, errors.New("it names none of the platforms that the release carries")
	}
	return replaceMember(index, "manifests", kept)
}

// cutEntries gives the entries of an index that are kept, and whether these are all.
func cutEntries(index []byte, keep []digest.Digest, inner map[digest.Digest][]byte) (kept []json.RawMessage, whole bool, err error) {
	var doc struct {
		Manifests []json.RawMessage `json:"manifests"`
	}
	if err := json.Unmarshal(index, &doc); err != nil {
		return nil, false, err
	}
	whole = true
	for _, entry := range doc.Manifests {
		var d struct {
			Digest digest.Digest `json:"digest"`
		}
		if err := json.Unmarshal(entry, &d); err != nil {
			return nil, false, err
		}
		if slices.Contains(keep, d.Digest) {
			kept = append(kept, entry)
			continue
		}
		if inner[d.Digest] == nil {
			whole = false
			continue
		}
		inside, all, err := cutEntries(inner[d.Digest], keep, inner)
		if err != nil {
			return nil, false, err
		}
		if all {
			inside = []json.RawMessage{entry}
		}
		kept, whole = append(kept, inside...), whole && all
	}
	return kept, whole, nil
}

// replaceMember rewrites one member of a JSON object and leaves the others in their order.
func replaceMember(object []byte, member string, value any) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(object))
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	out := []byte{'{'}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var old json.RawMessage
		if err := dec.Decode(&old); err != nil {
			return nil, err
		}
		var put any = old
		if key == member {
			put = value
		}
		if out, err = appendMember(out, key, put); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

func appendMember(out []byte, key, value any) ([]byte, error) {
	k, err := json.Marshal(key)
	if err != nil {
		return nil, err
	}
	v, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	if len(out) > 1 {
		out = append(out, ',')
	}
	out = append(append(out, k...), ':')
	return append(out, v...), nil
}
