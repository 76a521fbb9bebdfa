// Package part writes the parts of an operating system to the places of a slot that does not run.
//
// A place is a block device, which is written in place, or a file on a mounted file system, which is replaced as a whole.
// [Fit] finds everything that speaks against writing before the first byte is written. What it has seen goes with the [Target]
// that it returns, and a name that has come to mean something else since is refused. A [Writer] reads what is there, writes
// the blocks that differ and no others, and believes nothing but what it reads back: so a write that was cut short is taken
// up by doing it again.
//
// What lies on a device beyond the image is left as it is: nothing that is read back may rest on a discard, and a system may
// keep data of its own there.
package part
