// Package recompress turns a compressed blob into plain bytes and a recipe, and back, bit for bit.
package recompress

import (
	"context"
	"errors"
	"io"
)

// ErrNoRecipe says that no known encoder makes the blob again.
var ErrNoRecipe = errors.New("no recipe reproduces this compressed blob")

// Expand writes to w the plain bytes of blob.
func Expand(ctx context.Context, w io.Writer, blob io.Reader, limit int64) (int64, error) {
	return 0, errors.New("recompress: not implemented")
}
