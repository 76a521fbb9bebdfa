// Package bootrig boots machines with two slots in QEMU, with real boot loaders and Debian's kernel, and updates them with the
// real program for sites: what is claimed of a boot loader was seen to happen.
//
// A machine is one disk: a GPT with the loader's own partition, root-a and root-b, and data, which both slots mount at /var/lib.
// Bundles come on a second disk, the stick. The operating system is a kernel and one static program (internal/bootrig/init), so
// that a boot takes seconds without hardware help; how an image behaves stands in a file of it (wire.Image). Nothing here needs
// root, loop devices or mounts: file systems are made by mke2fs -d and mtools and laid into the disk at their offsets.
package bootrig
