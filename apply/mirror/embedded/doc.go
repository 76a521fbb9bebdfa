// Package embedded is a registry on a folder, for sites that have none of their own.
//
// Storage, validation of manifests and garbage collection are those of distribution v3, and so is the layout of the
// folder: a stock registry can take it over. The HTTP side and the storage driver are ours, for four reasons:
//
//   - Size. distribution's own handlers and file system driver link Redis and OpenTelemetry exporters, 11 MB.
//   - Power cuts. A blob gets its name only after its bytes are on the disk, and so does every link; parts of uploads,
//     which do not outlive the process, cost no flush. Names are durable after mirror.Sync.
//   - Repair. distribution keeps the bytes it has for a digest, even damaged ones. Here a manifest that is damaged, or a
//     blob of the wrong size, is replaced when it is pushed, and damaged bytes go when a blob is deleted.
//   - Sparse indexes are accepted, foreign layers are, and a full disk is answered with 507 Insufficient Storage.
//
// Anybody may pull. To push, to delete or to move a tag takes a secret that only the user has who runs sallyport, and
// unless Config.RemoteWrites is set it has to be done from this machine: whoever can push can change what the site runs.
// A request is answered only under a name by which the mirror is known, and not for a web page of somebody else's.
package embedded
