// SPDX-License-Identifier: MIT

// The peer zerolog, as its manual has it for speed: typed fields, a timestamp as a Unix time (in
// milliseconds), one write a line into a file that takes appends of many threads. Buffered: through
// a bufio.Writer of 64 KiB (behind zerolog's SyncWriter), as it has no buffer of its own that keeps
// every line. The JSON question writes to io.Discard, or, buffered, to /dev/null.
package main

import (
	"bufio"
	"io"
	"time"

	"github.com/rs/zerolog"
)

var (
	log, kept zerolog.Logger
	buffer    *bufio.Writer
)

func openLog(to io.Writer) {
	if buffered != "" {
		buffer = bufio.NewWriterSize(to, 1<<16)
		to = zerolog.SyncWriter(buffer)
	}
	log = zerolog.New(to).Level(zerolog.InfoLevel).With().Timestamp().Str("logger", "bench").Logger()
}

func flushLog() {
	if buffer != nil && buffer.Flush() != nil {
		panic("zerolog: the buffer was not written")
	}
}

func callOff(count uint64) {
	for i := uint64(0); i < count; i++ {
		log.Debug().Uint64("i", i).Msg("off")
	}
}

func log0(count uint64) {
	for i := uint64(0); i < count; i++ {
		log.Info().Msg("no fields")
	}
}

func log3(count uint64) {
	for i := uint64(0); i < count; i++ {
		log.Info().Uint64("a", i).Int("b", 42).Float64("c", 3.25).Msg("three numbers")
	}
}

func log3s(count uint64) {
	for i := uint64(0); i < count; i++ {
		log.Info().Str("path", "/index.html").Int("status", 200).Uint64("bytes", i).
			Msg("a string and two integers")
	}
}

func log10From(first, count uint64) {
	for i := first; i < first+count; i++ {
		log.Info().Uint64("a", i).Int("b", 42).Float64("c", 3.25).Str("path", "/index.html").
			Str("host", "www.example.org").Int("status", 200).Int("bytes", 5120).Bool("ok", i != 0).
			Dur("took", 1500*time.Microsecond).Str("agent", "curl/7.88.1").Msg("ten fields")
	}
}

func log10(count uint64) {
	log10From(0, count)
}

func logJSON10(count uint64) {
	log10From(firstNumber, count)
}

func logText(count uint64) {
	for i := uint64(0); i < count; i++ {
		log.Info().Uint64("line", firstNumber+i).Msg(filler)
	}
}

func child(i uint64) zerolog.Logger {
	return log.With().Uint64("conn", i).Str("peer", "10.0.0.7:4123").Bool("tls", true).
		Str("user", "alice").Int("zone", 3).Logger()
}

func cycle(count uint64) {
	for i := uint64(0); i < count; i++ {
		one := child(i)
		one.Info().Int("status", 200).Msg("request done")
	}
}

func createDrop(count uint64) {
	for i := uint64(0); i < count; i++ {
		kept = child(i)
	}
}

func hold(count int) interface{} {
	all := make([]zerolog.Logger, count)
	for i := range all {
		all[i] = child(uint64(i))
	}
	return all
}

func main() {
	zerolog.TimeFieldFormat = zerolog.TimeFormatUnixMs
	runPeer(&peer{
		subject: "zerolog",
		open:    openLog,
		flush:   flushLog,
		off:     callOff,
		paced:   map[string]calls{"0": log0, "3": log3, "3s": log3s, "10": log10},
		text:    logText,
		json10:  logJSON10,
		cycle:   cycle,
		drop:    createDrop,
		hold:    hold,
	})
}
