// Package recompress turns a compressed blob into plain bytes and a recipe, and back, bit for bit.
//
// A registry knows a layer by the digest of its compressed form, while patches work on plain bytes.
// A Recipe holds what the plain bytes lack: the container's headers verbatim and, for each
// compressed stream, which encoder made it at which level. The encoders are copies and ports frozen below this
// package, because the output of compress/flate and of klauspost/compress changes between versions,
// and a recipe has to hold for as long as a site may lag behind.
//
// Find searches a recipe and proves it over the whole blob; what it cannot prove is ErrNoRecipe.
package recompress
