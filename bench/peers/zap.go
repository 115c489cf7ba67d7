// SPDX-License-Identifier: MIT

// The peer zap, as its manual has it for speed: the Logger with typed fields (not the sugared one),
// the production encoder of JSON, no caller, no sampling (which drops lines), a locked file.
// Buffered: its BufferedWriteSyncer of 256 KiB. The JSON question writes to io.Discard, or,
// buffered, to /dev/null.
package main

import (
	"io"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

var (
	log    *zap.Logger
	buffer *zapcore.BufferedWriteSyncer
	kept   *zap.Logger
)

func openLog(to io.Writer) {
	syncer := zapcore.AddSync(to)
	switch {
	case buffered != "":
		buffer = &zapcore.BufferedWriteSyncer{WS: syncer}
		syncer = buffer
	case to != io.Discard:
		syncer = zapcore.Lock(syncer)
	}
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	log = zap.New(zapcore.NewCore(encoder, syncer, zap.InfoLevel)).Named("bench")
}

func flushLog() {
	if buffer != nil && buffer.Stop() != nil {
		panic("zap: the buffer was not written")
	}
}

func callOff(count uint64) {
	for i := uint64(0); i < count; i++ {
		log.Debug("off", zap.Uint64("i", i))
	}
}

func callGuarded(count uint64) {
	for i := uint64(0); i < count; i++ {
		if entry := log.Check(zap.DebugLevel, "off"); entry != nil {
			entry.Write(zap.Uint64("i", i))
		}
	}
}

func log0(count uint64) {
	for i := uint64(0); i < count; i++ {
		log.Info("no fields")
	}
}

func log3(count uint64) {
	for i := uint64(0); i < count; i++ {
		log.Info("three numbers", zap.Uint64("a", i), zap.Int("b", 42), zap.Float64("c", 3.25))
	}
}

func log3s(count uint64) {
	for i := uint64(0); i < count; i++ {
		log.Info("a string and two integers", zap.String("path", "/index.html"),
			zap.Int("status", 200), zap.Uint64("bytes", i))
	}
}

func log10From(first, count uint64) {
	for i := first; i < first+count; i++ {
		log.Info("ten fields", zap.Uint64("a", i), zap.Int("b", 42), zap.Float64("c", 3.25),
			zap.String("path", "/index.html"), zap.String("host", "www.example.org"),
			zap.Int("status", 200), zap.Int("bytes", 5120), zap.Bool("ok", i != 0),
			zap.Duration("took", 1500*time.Microsecond), zap.String("agent", "curl/7.88.1"))
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
		log.Info(filler, zap.Uint64("line", firstNumber+i))
	}
}

func child(i uint64) *zap.Logger {
	return log.With(zap.Uint64("conn", i), zap.String("peer", "10.0.0.7:4123"), zap.Bool("tls", true),
		zap.String("user", "alice"), zap.Int("zone", 3))
}

func cycle(count uint64) {
	for i := uint64(0); i < count; i++ {
		child(i).Info("request done", zap.Int("status", 200))
	}
}

func createDrop(count uint64) {
	for i := uint64(0); i < count; i++ {
		kept = child(i)
	}
}

func hold(count int) interface{} {
	all := make([]*zap.Logger, count)
	for i := range all {
		all[i] = child(uint64(i))
	}
	return all
}

func main() {
	runPeer(&peer{
		subject:    "zap",
		open:       openLog,
		flush:      flushLog,
		off:        callOff,
		offGuarded: callGuarded,
		paced:      map[string]calls{"0": log0, "3": log3, "3s": log3s, "10": log10},
		text:       logText,
		json10:     logJSON10,
		cycle:      cycle,
		drop:       createDrop,
		hold:       hold,
	})
}
