// Package delta makes and applies patches between blobs of container images: the layers that a site
// holds and the layers that a new release wants.
//
// Its patches work on plain bytes, because compressed streams of nearly equal layers share next to
// nothing, and carry a recipe with which the original compressed blob is made again bit for bit
// (package recompress). The package knows bytes and tars, not bundles. docs/delta-format.md
// specifies a patch byte for byte.
package delta

import (
	"context"
	"io"

	"github.com/sallyport-dev/sallyport/delta/recompress"
)

// Old is the plain (expanded) content of one blob that the site holds. It is read by several goroutines at once.
type Old struct {
	io.ReaderAt
	Size   int64   // bytes
	Tokens *Tokens // what ExpandOld kept of how it was compressed; nil: nothing, and making the blob may take longer
	digest []byte  // SHA-256 of the plain bytes, taken as they were expanded; nil: not known
}

// Raw is an old that was never expanded, whatever its bytes are; sum is their SHA-256, which the caller has taken.
func Raw(r io.ReaderAt, size int64, sum []byte) Old { return Old{ReaderAt: r, Size: size, digest: sum} }

// only is o, without its tokens where they do not help.
func (o Old) only(tokens bool) Old {
	if !tokens {
		o.Tokens = nil
	}
	return o
}

// Version names the engine: it changes whenever Diff gives another patch for the same inputs and options.
const Version = "1"

// Effort is how hard Diff works for a small patch.
type Effort int

// The efforts. What EffortFast makes is quicker to apply, too: its literals are not mixed (package mix).
const (
	EffortDefault Effort = iota
	EffortFast
	EffortBest
)

// Options says how Diff works. The zero value is good.
type Options struct {
	Effort  Effort
	Workers int    // goroutines at most; 0: as many as processors
	TempDir string // where the expanded blob is kept meanwhile; "": os.TempDir()
	// Advanced is told, by one goroutine at a time, of n more of the blob's bytes that are worked off, as far as can be
	// guessed: their sum is its size at most. May be nil.
	Advanced func(n int64)
}

// Result describes the patch that Diff wrote.
type Result struct {
	Size      int64        // bytes of the patch
	PlainSize int64        // bytes of the expanded blob
	Blob      []byte       // SHA-256 of the blob that was read
	Used      []int        // indexes of the olds that the patch reads, ascending: Apply takes these and no others
	Recipe    string       // the encoder that makes the blob again, for people: "go gzip -6"
	Members   []MemberCost // the entries that cost the most, the dearest first
	Failed    error        // what was wrong with a smaller patch that did not make the blob, a fault of this package; nil: nothing
}

// Limits bounds what Apply does for a patch.
type Limits struct {
	Size    int64  // bytes of the blob, as the release declares it; a patch for any other size is refused
	TempDir string // where a patch with large streams is buffered; "": os.TempDir()
}

// ErrNoRecipe says that no known encoder makes the compressed blob again: it has to travel as it is.
var ErrNoRecipe = recompress.ErrNoRecipe

// Expand writes to w the plain bytes of blob, which is gzip (of any number of members), zstd or
// plain already, and returns how many they are. More than limit bytes are an error.
func Expand(ctx context.Context, w io.Writer, blob io.Reader, limit int64) (int64, error) {
	return recompress.Expand(ctx, w, blob, limit)
}

// Tokens is what is known of how an old blob was compressed.
type Tokens = recompress.Tokens
