// Package tokens writes down a DEFLATE stream (RFC 1951) as its differences from what a model of an
// encoder would have made of the same plain bytes, and makes the stream again, bit for bit.
//
// The model looks for matches as zlib does. It follows the stream: after a token that it did not
// expect it goes on behind that one. Each token is coded, by an adaptive range coder, as whether it is
// a match, whether it has the expected length, and how many nearer strings would have done; each
// block as how many tokens it has and where its trees differ from those that zlib would make. A
// stream of an encoder that resembles zlib's costs a hundredth of its size, of others some more.
//
// The ideas are those of preflate (Dirk Steinke) and grittibanzli (Google).
package tokens
