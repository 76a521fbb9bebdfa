// Package backup keeps copies of the data that a site's cluster works on, such as its datastore: a release that failed may have
// brought them to a form that the release before cannot read.
//
// A [Store] is a folder with one folder for each backup:
//
//	backups/
//	  17/
//	    backup.json   what it is, and size and digest of each file
//	    data/         what the site's backup command has written, or copies of the files of a datastore, item by item
//	    restored      for what it was restored last
//
// A backup is whole or not there: it takes its place, flushed, once it is complete, not empty and no larger than it may be. It
// is compared with its digests before anything is restored from it.
//
// Restore may be cut at any instant and is then begun again from the start. All files of a database take the place of the ones
// before together, as one folder: a write-ahead log that is left beside a restored database destroys it. What belongs to the
// datastore and lies outside it (tokens, passwords, certificates) is saved and restored with it.
package backup
