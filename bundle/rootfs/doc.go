// Package rootfs looks into images of file systems: ext2 to ext4, and squashfs. Only a factory does that.
//
// What an image tells is not to be trusted: a panic of a reader becomes an error, and the bytes that are read in all are
// bounded, so that no image can keep a build busy for ever.
package rootfs
