// Frozen: recipes name this encoder by its output. Never edit; see freeze.sh.

package huff0

type dTable struct {
	single []dEntrySingle
}

// single-symbols decoding
type dEntrySingle struct {
	entry uint16
}
