// Package cdeflate writes DEFLATE streams bit for bit as three C programs do: zlib, GNU gzip and pigz.
//
// It follows the algorithms of zlib 1.2 and 1.3 (deflate.c and trees.c, by Jean-loup Gailly and Mark
// Adler, see LICENSE) and of gzip 1.3 to 1.13, whose matcher is zlib's ancestor and whose blocks end
// elsewhere, so closely that sizes of windows, tables and buffers agree: all of them show in the
// output. Recipes name it by that output: it is frozen.
package cdeflate
