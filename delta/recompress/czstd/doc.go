// Package czstd writes Zstandard frames bit for bit as the C library libzstd does.
//
// It follows libzstd's compressor (by Yann Collet and others, see LICENSE) as of the versions that changed
// its output: hash tables, limits of the window, heuristics and even the layout of the stream's buffers
// show in the output and agree. Comments name the C function that each part mirrors. Recipes name this
// package by its output: it is frozen.
package czstd
