// Package look proves that detection finds what the simulated city says it
// shows: its tests play cameras faster than real time through the decoder, the
// imaging and the watch, and compare the findings with the ledger.
package look
