package bundle

import "fmt"

// Limits on JSON before it is decoded, when a few bytes such as {}, would make a whole struct. What sallyport writes has a
// digest or a name in nearly every object, so real documents stay far below.
const (
	leastObjects   = 4096 // any document may have so many objects and lists, and one more for each so many bytes
	bytesPerObject = 64
	leastValues    = 16384 // the same for values in lists and objects
	bytesPerValue  = 16
	maxDepth       = 32
	// MaxText is how many bytes a string in a document has at most, escapes included.
	MaxText = 64 << 10
)

// checkDensity refuses JSON that would grow when it is decoded. Whether it is JSON at all, the decoder tells.
func checkDensity(b []byte) error {
	var objects, values, depth, text int
	inside, escaped := false, false // of a string
	for _, c := range b {
		if inside {
			if text++; text > MaxText {
				return fmt.Errorf("a string of more than %d bytes", MaxText)
			}
			inside = escaped || c != '"'
			escaped = !escaped && c == '\\'
			continue
		}
		switch c {
		case '"':
			inside, text = true, 0
		case ',':
			values++
		case '{', '[':
			objects++
			depth++
		case '}', ']':
			depth--
		}
		if depth > maxDepth {
			return fmt.Errorf("lists or objects inside one another %d times", depth)
		}
	}
	if objects > leastObjects+len(b)/bytesPerObject || values > leastValues+len(b)/bytesPerValue {
		return fmt.Errorf("%d objects and %d values in %d bytes: not a document that sallyport writes", objects, values, len(b))
	}
	return nil
}
