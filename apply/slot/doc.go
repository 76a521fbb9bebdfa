// Package slot keeps the site's two slots, A and B, and the backend that says which of them runs.
//
// A slot holds one release's desired state: everything that is needed to run it again, or to say what it is, without
// its bundle. On disk it is a folder of small files and an index of their digests:
//
//	slots/
//	  running            the slot that runs, for the backend "none": "a" or "b" and a newline
//	  a/
//	    slot.json        digest and size of every other file
//	    manifest.json    the release manifest; its digest is the release's
//	    descriptor.json  the release descriptor
//	    objects.yaml     the rendered Kubernetes objects
//	    images.json      the images that the mirror holds for it
//	    inventory.json   the objects that it has put on the target
//	    report.json      what was verified, and who signed
//	    overlays.json    the overlays that objects.yaml was made with, of releases that have some
//	  b/
//
// A slot is replaced as a whole, through internal/durable: after a power cut it is the old one or the new one. Every
// byte of it is checked when it is loaded; a slot that does not hold what was put there is an error, never a release.
package slot
