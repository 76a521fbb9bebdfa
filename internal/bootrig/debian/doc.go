// Package debian makes machines of the boot rig that run Debian with a real systemd, and sets them up by the words of the
// documentation: the commands of a page are taken from it and run where it says, in the tree of an image, in a live system, or on the
// machine.
//
// A System is a file system of Debian packages, made once and kept in the cache; an Image is made of it by a script. In both an agent
// answers the host over the second serial line, in emergency mode, too, so that a test runs any program at any time (bootrig.Running.Run).
// Made by root, or by anybody with user namespaces (newuidmap).
package debian
