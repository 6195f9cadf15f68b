// Package transparency keeps audit records in a transparency log: a Merkle tree
// over all of them, whose root is signed. Whoever has the public key and has seen
// an older root notices if a record was changed, left out, put in or put in another
// place since, whoever did it.
//
// The log consists of files in published formats, which other people's programs
// read too:
//
//	checkpoint               size and root, signed (c2sp.org/tlog-checkpoint)
//	tile/<L>/<N>[.p/<W>]     the tree's hashes (c2sp.org/tlog-tiles)
//	tile/entries/<N>[.p/<W>] the records, 256 to a file
//	checkpoints/2026/03/02/09  the checkpoint of each hour, kept
//	values/<sha256>          what records were too long to hold
//	keys/<time>              a signed note: these keys sign from here on
//	pruned/<index>           a signed note: the records before this one need not be kept
//	public-key               the public keys, for convenience
//
// A leaf is one state of a record: the bytes of its JSON line without the last
// member, "log", which says where in the log the line is. The states of a record
// have its id and count up in meta.revision; the highest one counts.
//
// A checkpoint has two signatures by the same Ed25519 key: of the checkpoint
// (c2sp.org/signed-note), and of the checkpoint and the time (cosignature/v1 of
// c2sp.org/tlog-cosignature), so that a checkpoint says when it was true.
//
// [Writer] appends, [Prover] makes receipts, and [Verification] checks everything.
// [Reader] gives the records in order from an index on, with their ids, revisions and
// bytes: whoever hands records on to somewhere reads by it, and keeps the index.
// The package does no input or output of its own: what is stored goes through
// [Files] and [store.Log], and is verified from an [io/fs.FS].
package transparency
