// Frozen: recipes name this encoder by its output. Never edit; see freeze.sh.

package flate

const (
	// Masks for shifts with register sizes of the shift value.
	// This can be used to work around the x86 design of shifting by mod register size.
	// It can be used when a variable shift is always smaller than the register size.

	reg8SizeMask32 = 0xff
	reg8SizeMask64 = 0xff

	reg16SizeMask64 = 0xffff
)
