package bundle

import "fmt"

// Limits of an image's manifest or index. Real ones have some hundred objects and are four levels deep.
const (
	maxManifestObjects = 32 << 10
	maxManifestValues  = 128 << 10
	maxManifestDepth   = 64
)

// CheckManifest refuses an image's manifest or index that would take far more memory decoded than it has bytes, before
// anything decodes it: by its size, the number of its objects, lists and values, and how deep they are nested. It does
// not check that it is JSON. Factory and site have the same limits.
func CheckManifest(b []byte) error {
	if len(b) > MaxManifestSize {
		return fmt.Errorf("it has more than %d bytes", MaxManifestSize)
	}
	objects, values, depth := 0, 0, 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i = endOfString(b, i+1)
		case '{', '[':
			objects++
			depth++
		case '}', ']':
			depth--
		case ',':
			values++
		}
		if objects > maxManifestObjects || values > maxManifestValues || depth > maxManifestDepth {
			return fmt.Errorf("it has more than %d objects, more than %d values, or more than %d levels", maxManifestObjects, maxManifestValues, maxManifestDepth)
		}
	}
	return nil
}

// endOfString finds the quote that ends a JSON string.
func endOfString(b []byte, i int) int {
	for ; i < len(b) && b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i
}
