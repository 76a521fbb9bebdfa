// Package mirror talks to a site's mirror: the local OCI registry from which its container runtime pulls.
//
// A Client works with any registry that speaks the OCI distribution protocol over HTTP or HTTPS. What it pushes it
// confirms: a blob by asking for it, a manifest by reading it back, by digest and by tag, and comparing every byte.
// Requests are tried again after connection faults and server errors, and no request can hang: one that makes no
// progress for Config.Stall is given up. Every failure is an *Error that names the mirror and says what to look at.
//
// An image keeps its repository path and loses its host (Repository): that is what container runtimes ask a mirror
// for. The configuration that makes them ask is written by ContainerdHosts and K3sRegistries.
//
// The order of a load is: blobs (PushBlobs, StreamBlob, Mount), then the manifests of every image (PushImage), then
// Sync. Until here no tag has moved, so nothing that runs can have changed. TagImage, called at the switch, makes
// the mirror answer for the image's original name.
//
// Package embedded is a registry on a folder for sites that have none.
package mirror
