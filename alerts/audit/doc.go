// Package audit chains the rows of the audit, so that nobody can change, take
// away, add or reorder one unseen, and says where a chain is broken.
//
// The rules:
//
//   - Each node of the gateway has one chain of its own. Its first row names
//     the node and the format; sequence numbers rise by one.
//   - A row's hash is SHA-256(domain ‖ hash of the row before ‖ encoding). The
//     encoding gives every field its length, so that different rows never
//     encode alike (Encode).
//   - A hash alone stops nobody who can write to the database: such a person
//     computes the chain anew. So the node signs where its chain stood
//     (Checkpoint, Ed25519), and copies leave the machine (Sink). Until the
//     next checkpoint the newest rows are guarded by nothing but the hash.
//   - Verify reads rows and checkpoints as streams, in constant memory, and
//     names the first fault by its sequence number.
//
// Stores keep the head of the chain in the row that they update in the same
// transaction as the change that an audit row tells of: what is rolled back
// leaves neither a gap nor a fork.
package audit
