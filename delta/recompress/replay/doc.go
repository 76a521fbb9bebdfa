// Package replay keeps what the encoder of a DEFLATE stream decided: where literals and matches
// stand in the plain bytes. A site inflates the old blobs anyway, and where a new blob repeats a long
// run of old plain bytes, an encoder whose matches depend on the last 32 KiB alone decides again what
// it decided then, so that its search for matches, nearly all of the time that compressing takes, can
// be left out.
//
// Which decisions may be taken over is known without asking the old encoder's maker: see Locality. That
// the bytes come out right is for the maker of a patch to prove.
package replay
