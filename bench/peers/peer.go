// SPDX-License-Identifier: MIT

// What the peers in Go share; peer.h says what is measured and checked. Nothing is pinned: Go's
// scheduler and collector use the cores as they do in a daemon (GOMAXPROCS and GOGC by default).
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	batch       = 20
	batches     = 3000
	warmBatches = 1000
	pause       = 100 * time.Microsecond
	lines       = 400000
	firstNumber = 10000000 // throughput's, so that lines are equally long
	lineBytes   = 100
	rehearsed   = 200
	offTurns    = 60
	offCalls    = 500000
	children    = 200000
	held        = 100000
)

// buffered is "yes" in the program whose lines go through the library's own (or Go's) buffer:
// the build sets it with -ldflags -X.
var buffered string

// calls logs count lines, or does another operation so often.
type calls func(count uint64)

// peer describes a logger. A nil field is a case that it does not have.
type peer struct {
	subject         string
	open            func(to io.Writer) // logs there from now on
	flush           func()             // when it returns, all is written
	off, offGuarded calls
	paced           map[string]calls // by the name of the fields
	text, json10    calls
	cycle, drop     calls
	hold            func(count int) interface{}
}

// filler is the rest of a text line, so that whole lines have 100 bytes.
var filler string

var question, name string

func fail(p *peer, format string, args ...interface{}) {
	fmt.Fprintf(os.Stderr, "%s, %s %s: %s\n", p.subject, question, name, fmt.Sprintf(format, args...))
	os.Exit(1)
}

func must(p *peer, err error) {
	if err != nil {
		fail(p, "%v", err)
	}
}

func report(subject, metric string, value float64, unit string) {
	fmt.Printf("%s\t%s\t%s\t%s\t%.10g\t%s\n", question, name, subject, metric, value, unit)
}

// output is the file at the other end: it counts what it could not write.
type output struct {
	file   *os.File
	failed int
	before float64 // bytes that the process had written until then
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.file.Write(p)
	if err != nil {
		o.failed++
	}
	return n, err
}

func openOutput(p *peer, path string) *output {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	must(p, err)
	o := &output{file: file, before: readProc("io", "wchar:")}
	p.open(o)
	return o
}

// finish ends what openOutput began.
func (o *output) finish(p *peer) {
	p.flush()
	must(p, o.file.Close())
	if o.failed != 0 {
		fail(p, "%d errors", o.failed)
	}
}

// checkWritten compares with what the kernel counted, where it says; numbers and times of some
// lines are a few digits shorter.
func (o *output) checkWritten(p *peer, lines uint64, line float64) {
	written, wanted := readProc("io", "wchar:")-o.before, float64(lines)*line
	if o.before >= 0 && (written < 0.99*wanted || written > 1.01*wanted) {
		fail(p, "%.0f bytes of %.0f were written", written, wanted)
	}
}

func makeFile(p *peer) string {
	file, err := os.CreateTemp("", "peer-*")
	must(p, err)
	must(p, file.Close())
	return file.Name()
}

// countFile counts lines and bytes, and removes the file.
func countFile(p *peer, path string) (lines, size uint64) {
	file, err := os.Open(path)
	must(p, err)
	os.Remove(path)
	defer file.Close()
	block := make([]byte, 1<<16)
	for {
		n, err := file.Read(block)
		lines += uint64(bytes.Count(block[:n], []byte{'\n'}))
		size += uint64(n)
		if err == io.EOF {
			return lines, size
		}
		must(p, err)
	}
}

// rehearse logs into a file, so many lines at a time, and counts; it returns the bytes of a line.
func rehearse(p *peer, run calls, atATime uint64) float64 {
	path := makeFile(p)
	out := openOutput(p, path)
	for done := uint64(0); done < rehearsed; done += atATime {
		run(atATime)
	}
	out.finish(p)
	arrived, size := countFile(p, path)
	if arrived != rehearsed {
		fail(p, "%d lines of %d arrived in the rehearsal", arrived, rehearsed)
	}
	return float64(size) / rehearsed
}

// setFiller begins with one x: an empty message may be left out of the line.
func setFiller(p *peer) {
	filler = "x"
	bare := rehearse(p, p.text, rehearsed)
	if bare > lineBytes {
		fail(p, "a line almost without text has %.1f bytes", bare)
	}
	filler = strings.Repeat("x", 1+int(lineBytes+0.5-bare))
}

func checkLine(p *peer, line float64) {
	if line < lineBytes-0.5 || line > lineBytes+0.5 {
		fail(p, "lines of %.1f bytes instead of %d", line, lineBytes)
	}
}

// readProc finds the number behind key in a file of /proc/self; negative: it is not there.
func readProc(file, key string) float64 {
	text, _ := os.ReadFile("/proc/self/" + file)
	for _, line := range strings.Split(string(text), "\n") {
		if words := strings.Fields(line); len(words) > 1 && words[0] == key {
			number, _ := strconv.ParseFloat(words[1], 64)
			return number
		}
	}
	return -1
}

// together runs work in so many goroutines at once, and waits for them. They are not locked to
// threads, which makes Go's collector hand them about, and a line several times as slow.
func together(count int, work func(index int)) {
	var ready, done sync.WaitGroup
	ready.Add(count)
	done.Add(count)
	for i := 0; i < count; i++ {
		go func(index int) {
			defer done.Done()
			ready.Done()
			ready.Wait()
			work(index)
		}(i)
	}
	done.Wait()
}

// pace calls in batches, and keeps the time of each that follows the warm ones.
func pace(run calls, ns []int64) {
	for i := -warmBatches; i < len(ns); i++ {
		began := time.Now()
		run(batch)
		ended := time.Now()
		if i >= 0 {
			ns[i] = ended.Sub(began).Nanoseconds()
		}
		for time.Since(ended) < pause {
		}
	}
}

// reportRank prints the least sample that permille of a thousand do not exceed, as ns of each of
// its calls.
func reportRank(subject string, ns []int64, metric string, permille int, calls float64) {
	sort.Slice(ns, func(a, b int) bool { return ns[a] < ns[b] })
	report(subject, metric, float64(ns[(len(ns)*permille+999)/1000-1])/calls, "ns")
}

func measureLatency(p *peer, run calls, threads int) {
	line := rehearse(p, run, batch)
	ns := make([]int64, threads*batches)
	out := openOutput(p, os.DevNull)
	together(threads, func(i int) { pace(run, ns[i*batches:(i+1)*batches]) })
	out.finish(p)
	out.checkWritten(p, uint64(threads*(warmBatches+batches)*batch), line)
	reportRank(p.subject, ns, "p50", 500, batch)
	reportRank(p.subject, ns, "p99", 990, batch)
	reportRank(p.subject, ns, "p99.9", 999, batch)
	report(p.subject, "bytes_line", line, "bytes")
}

// measureThroughput logs to a file, to /dev/null, or (target "discard") to io.Discard.
func measureThroughput(p *peer, run calls, threads int, target string, is100 bool) {
	if is100 {
		setFiller(p)
	}
	line := rehearse(p, run, rehearsed)
	path := os.DevNull
	if target == "file" {
		path = makeFile(p)
	}
	out := openOutput(p, path)
	if target == "discard" {
		p.open(io.Discard)
	}
	each := uint64(lines / threads)
	all := each * uint64(threads)
	began := time.Now()
	together(threads, func(int) { run(each) })
	out.finish(p)
	ns := float64(time.Since(began).Nanoseconds())
	most := readProc("status", "VmHWM:")
	if target != "discard" {
		out.checkWritten(p, all, line)
	}
	if target == "file" {
		arrived, size := countFile(p, path)
		if arrived != all {
			fail(p, "%d lines of %d arrived", arrived, all)
		}
		line = float64(size) / float64(arrived)
	}
	if is100 {
		checkLine(p, line)
	}
	report(p.subject, "ns_line", ns/float64(all), "ns")
	report(p.subject, "bytes_line", line, "bytes")
	report(p.subject, "rss_mib", most/1024, "MiB")
	report(p.subject, "lines", float64(all), "lines")
}

// measureOff prints the median of turns; no calls, no line.
func measureOff(subject string, run calls) {
	if run == nil {
		return
	}
	ns := make([]int64, offTurns)
	for i := range ns {
		began := time.Now()
		run(offCalls)
		ns[i] = time.Since(began).Nanoseconds()
	}
	reportRank(subject, ns, "ns", 500, offCalls)
}

// measureChildren prints the median batch, and the mean of all: the collector's part is in that.
func measureChildren(p *peer, run calls) {
	ns := make([]int64, children/batch)
	p.open(io.Discard)
	start := time.Now()
	for i := range ns {
		began := time.Now()
		run(batch)
		ns[i] = time.Since(began).Nanoseconds()
	}
	mean := float64(time.Since(start).Nanoseconds()) / children
	reportRank(p.subject, ns, "ns", 500, batch)
	report(p.subject, "ns_mean", mean, "ns")
}

func measureHeld(p *peer) {
	p.open(io.Discard)
	runtime.GC()
	before := readProc("smaps_rollup", "Rss:")
	all := p.hold(held)
	runtime.GC()
	report(p.subject, "bytes", (readProc("smaps_rollup", "Rss:")-before)*1024/held, "bytes")
	runtime.KeepAlive(all)
}

// askThroughput: "text.pTHREADS.file"; lines of text are JSON here, for these loggers' fast way.
func askThroughput(p *peer, words []string) {
	threads, _ := strconv.Atoi(strings.TrimPrefix(words[1], "p"))
	if threads < 1 || (words[2] != "null" && words[2] != "file") {
		return
	}
	switch {
	case words[0] == "text" || words[0] == "json":
		measureThroughput(p, p.text, threads, words[2], true)
	case words[0] == "json10" && words[2] == "null" && buffered == "":
		measureThroughput(p, p.json10, threads, "discard", false)
	case words[0] == "json10":
		measureThroughput(p, p.json10, threads, words[2], false)
	}
}

func ask(p *peer) {
	words := strings.Split(name, ".")
	switch {
	case question == "off" && name == "off" && buffered == "":
		p.open(io.Discard)
		measureOff(p.subject, p.off)
		measureOff(p.subject+" guarded", p.offGuarded)
	case question == "latency" && len(words) == 3 && words[1] == "named":
		threads, _ := strconv.Atoi(words[2])
		if run := p.paced[words[0]]; run != nil && threads > 0 {
			measureLatency(p, run, threads)
		}
	case question == "throughput" && len(words) == 3:
		askThroughput(p, words)
	case question == "child" && buffered == "":
		switch name {
		case "cycle.1":
			rehearse(p, p.cycle, batch)
			measureChildren(p, p.cycle)
		case "create_drop.1":
			measureChildren(p, p.drop)
		case "held.100000":
			measureHeld(p)
		}
	}
}

func runPeer(p *peer) {
	if len(os.Args) != 3 {
		fmt.Fprintf(os.Stderr, "usage: %s QUESTION CASE\n", os.Args[0])
		os.Exit(2)
	}
	question, name = os.Args[1], os.Args[2]
	if buffered != "" {
		p.subject += " buffered"
	}
	ask(p)
}
